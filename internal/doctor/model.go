package doctor

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fetch"
)

// fromHere warns that this machine may see another model server than the runners on the Ray cluster do.
const fromHere = "as seen from here; the Ray cluster sees it from elsewhere"

// listedMost bounds the server's models that are named.
const listedMost = 5

// checkModel lets a runner of each Ray cluster call the model. If no Ray app can be asked, it only asks the model
// server for its models.
func (s Settings) checkModel(ctx context.Context, apps []rayApp) []Finding {
	var findings []Finding
	if s.VLLMURL != "" && s.Model != "" {
		for _, app := range apps {
			if finding, looked := app.callModel(ctx, s.VLLMURL, s.Model); looked {
				findings = append(findings, finding)
			}
		}
	}
	if findings == nil {
		findings = append(findings, s.checkModelFromHere(ctx))
	}
	return findings
}

// callModel lets a runner call the model for one token. It reports whether the app answered; if it didn't, the
// check of the app says why.
func (a rayApp) callModel(ctx context.Context, vllmURL, model string) (finding Finding, looked bool) {
	name := "model via " + a.at.Name
	seen, err := a.Probe(ctx, vllmURL, model)
	switch refused, is := errors.AsType[*domain.Error](err); {
	case is && refused.Kind == domain.KindURL:
		return failed(name, allowHost, "the Ray app may not call this server"), true
	case is && refused.Kind == domain.KindRejected:
		return failed(name, "set --vllm-url or DELIBERATION_VLLM_URL", "the Ray app: %s", cause(err)), true
	case err != nil:
		return Finding{}, false
	case !seen.Call.OK:
		return failed(name, repairOf(seen), "%s, called by %s: %s: %s", model, seen.Runner, seen.Call.Type, seen.Call.Message), true
	case !seen.Lists:
		return ok(name, "%s answers %s in %d ms, though its server doesn't list it", model, seen.Runner, seen.Call.MS), true
	}
	return ok(name, "%s answers %s in %d ms", model, seen.Runner, seen.Call.MS), true
}

const allowHost = "add its host to DELIBERATION_VLLM_ALLOW of the Ray app, and deploy the app again"

// repairOf returns what to do about a failed call.
func repairOf(seen ray.Probe) string {
	switch {
	case seen.Call.Type == string(domain.URLNotAllowed):
		return allowHost
	case strings.HasPrefix(seen.Call.Message, "401") || strings.HasPrefix(seen.Call.Message, "403"):
		return "give the Ray app its key, DELIBERATION_VLLM_KEYS, and deploy the app again"
	case seen.Call.Type == string(domain.ModelRejected) && !seen.Lists && len(seen.Listed) > 0:
		return "set --model or DELIBERATION_VLLM_MODEL to one of: " + strings.Join(seen.Listed, ", ")
	case seen.Call.Type == string(domain.ModelTimeout) || seen.Call.Type == string(domain.ModelOverloaded):
		return "look at the model server: it is overloaded, or still loads the model"
	}
	return "start it, or set --vllm-url or DELIBERATION_VLLM_URL to an address that the Ray cluster reaches"
}

// checkModelFromHere asks the model server for its models.
func (s Settings) checkModelFromHere(ctx context.Context) Finding {
	const name = "model"
	parsed, err := url.Parse(s.VLLMURL)
	switch {
	case s.VLLMURL == "":
		return skipped(name, "DELIBERATION_VLLM_URL is not set here; --vllm-url")
	case err != nil || parsed.Hostname() == "":
		return failed(name, "set --vllm-url or DELIBERATION_VLLM_URL", "not an address")
	}
	names, shown, err := listModels(ctx, *parsed)
	switch status := fetch.StatusOf(err); {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return skipped(name, "%s answers %d: it wants a key, and only the runners have keys (DELIBERATION_VLLM_KEYS); %s", shown, status, fromHere)
	case err != nil:
		return failed(name, "start it, or set --vllm-url or DELIBERATION_VLLM_URL", "%s: %s; %s", shown, err, fromHere)
	}
	has := strings.Join(names[:min(len(names), listedMost)], ", ")
	switch {
	case s.Model == "":
		return ok(name, "%s has %s: %s; %s", shown, domain.Count(len(names), "model"), has, fromHere)
	case slices.Contains(names, s.Model):
		return ok(name, "%s has %s, %s", shown, s.Model, fromHere)
	}
	return failed(name, "set --model or DELIBERATION_VLLM_MODEL", "%s hasn't %s, but %s; %s", shown, s.Model, cmp.Or(has, "no model at all"), fromHere)
}

// listModels returns the server's models, and the address that it asked, without a password.
func listModels(ctx context.Context, server url.URL) (names []string, asked string, err error) {
	var listed struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	for _, path := range listPaths(server.Path) {
		server.Path = path
		if err = fetch.JSON(ctx, server.String(), &listed); fetch.StatusOf(err) != http.StatusNotFound {
			break
		}
	}
	for _, model := range listed.Data {
		names = append(names, model.ID)
	}
	return names, server.Redacted(), err
}

// listPaths returns the addresses at which a model server may list its models, the likelier one first: base URLs are
// given with and without /v1, and with the path of the call.
func listPaths(base string) []string {
	base = strings.TrimRight(strings.TrimSuffix(strings.TrimRight(base, "/"), "/chat/completions"), "/")
	without, has := strings.CutSuffix(base, "/v1")
	switch {
	case has:
		return []string{base + "/models", without + "/models"}
	case base == "":
		return []string{"/v1/models", "/models"}
	}
	return []string{base + "/models", base + "/v1/models"}
}
