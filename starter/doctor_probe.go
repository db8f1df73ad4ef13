package main

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// probeWithin is behind the app's own bound of 10 s.
const probeWithin = 12 * time.Second

// probed is what a runner saw of a model.
type probed struct {
	Runner string   `json:"runner"`
	Models bool     `json:"models"`
	Listed []string `json:"listed"`
	Call   struct {
		OK      bool   `json:"ok"`
		MS      int    `json:"ms"`
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"call"`
}

// checkModel lets a runner call the model for one token. looked is false when the app can't say: one of an older
// build, or one whose own check fails.
func (a rayApp) checkModel(ctx context.Context, address, model string) (check checked, looked bool) {
	name := "model via " + a.cluster
	var seen probed
	status, err := inquiry{
		address: a.address + "/v1/probe", token: a.token, within: probeWithin,
		body: map[string]string{"vllm_url": address, "model": model},
	}.ask(ctx, &seen)
	switch {
	case status == http.StatusForbidden:
		return broken(name, allowIt, "the Ray app may not call this server"), true
	case status == http.StatusUnprocessableEntity:
		return broken(name, "set --vllm-url or DELIBERATION_VLLM_URL", "the Ray app takes no such address or model"), true
	case err != nil || status != http.StatusOK || seen.Runner == "":
		return checked{}, false
	case !seen.Call.OK:
		return broken(name, seen.repair(), "%s, called by %s: %s: %s", model, seen.Runner, seen.Call.Type, seen.Call.Message), true
	case !seen.Models:
		return well(name, "%s answers %s in %d ms, though its server doesn't list it", model, seen.Runner, seen.Call.MS), true
	}
	return well(name, "%s answers %s in %d ms", model, seen.Runner, seen.Call.MS), true
}

const allowIt = "add its host to DELIBERATION_VLLM_ALLOW of the Ray app, and deploy the app again"

// repair is for what the call failed with.
func (p probed) repair() string {
	switch {
	case p.Call.Type == "UrlNotAllowed":
		return allowIt
	case strings.HasPrefix(p.Call.Message, "401") || strings.HasPrefix(p.Call.Message, "403"):
		return "give the Ray app its key, DELIBERATION_VLLM_KEYS, and deploy the app again"
	case p.Call.Type == "ModelRejected" && !p.Models && len(p.Listed) > 0:
		return "set --model or DELIBERATION_VLLM_MODEL to one of: " + strings.Join(p.Listed, ", ")
	case p.Call.Type == "ModelTimeout":
		return "look at the model server: it is overloaded, or still loads the model"
	}
	return "start it, or set --vllm-url or DELIBERATION_VLLM_URL to an address that the Ray cluster reaches"
}
