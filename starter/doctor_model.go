package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	"deliberation.io/deliberation/domain"
)

// fromElsewhere is said of each look at the model server: the turns' own look is from the Ray cluster.
const fromElsewhere = "as seen from here; the Ray cluster sees it from elsewhere"

// modelsShown is how many of the server's models are named.
const modelsShown = 5

// checkModels looks at the model as each Ray cluster sees it; from here where no Ray app can look.
func checkModels(ctx context.Context, address, model string) []checked {
	var checks []checked
	token, err := rayToken()
	clusters := os.Getenv("DELIBERATION_RAY_CLUSTERS")
	if address != "" && model != "" && clusters != "" && err == nil {
		for cluster := range strings.SplitSeq(clusters, ",") {
			app, err := rayAppOf(cluster, token)
			if err != nil {
				continue // the look at the apps has told it
			}
			if check, looked := app.checkModel(ctx, address, model); looked {
				checks = append(checks, check)
			}
		}
	}
	if checks == nil {
		checks = append(checks, checkModel(ctx, address, model))
	}
	return checks
}

// checkModel asks the model server for its models.
func checkModel(ctx context.Context, address, model string) checked {
	const name = "model"
	parsed, err := url.Parse(address)
	switch {
	case address == "":
		return skipped(name, "DELIBERATION_VLLM_URL is not set here; --vllm-url")
	case err != nil || parsed.Hostname() == "":
		return broken(name, "set --vllm-url or DELIBERATION_VLLM_URL", "not an address")
	}
	// With or without /v1, as the runners take it.
	base := strings.TrimSuffix(strings.TrimRight(address, "/"), "/v1") + "/v1"
	shown := strings.TrimSuffix(strings.TrimRight(parsed.Redacted(), "/"), "/v1") + "/v1/models"
	var listed struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	status, err := inquiry{address: base + "/models"}.ask(ctx, &listed)
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return skipped(name, "%s answers %d: it wants a key, and only the runners have keys (DELIBERATION_VLLM_KEYS); %s", shown, status, fromElsewhere)
	case err != nil || status != http.StatusOK:
		return broken(name, "start it, or set --vllm-url or DELIBERATION_VLLM_URL", "%s: %s; %s", shown, answered(status, err, ""), fromElsewhere)
	}
	var names []string
	for _, each := range listed.Data {
		if each.ID == model {
			return well(name, "%s has %s, %s", shown, model, fromElsewhere)
		}
		names = append(names, each.ID)
	}
	has := strings.Join(names[:min(len(names), modelsShown)], ", ")
	if model == "" {
		return well(name, "%s has %s: %s; %s", shown, domain.Count(len(names), "model"), has, fromElsewhere)
	}
	return broken(name, "set --model or DELIBERATION_VLLM_MODEL", "%s hasn't %s, but %s; %s", shown, model, cmp.Or(has, "no model at all"), fromElsewhere)
}
