package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"deliberation.io/deliberation/domain"
)

// rayAPI is the version of the app's API that the workers speak.
const rayAPI = 1

// rayInfo is what of the app's own account is shown.
type rayInfo struct {
	APIVersion int    `json:"api_version"`
	Build      string `json:"build"`
	RayVersion string `json:"ray_version"`
	InFlight   int    `json:"in_flight"`
	Capacity   int    `json:"capacity"`
	Runners    []struct {
		Name        string `json:"name"`
		Incarnation string `json:"incarnation"`
		Draining    bool   `json:"draining"`
	} `json:"runners"`
}

// checkRay looks at the Ray app of each cluster that the variable names.
func checkRay(ctx context.Context) []checked {
	const variable = "DELIBERATION_RAY_CLUSTERS"
	clusters := os.Getenv(variable)
	if clusters == "" {
		return []checked{skipped("ray", "%s is not set here: take the worker's, or ask a worker: starter clusters --worker HOST:PORT", variable)}
	}
	token, err := rayToken()
	if err != nil {
		return []checked{broken("ray", "worker --check-config", "%s", err)}
	}
	var checks []checked
	for cluster := range strings.SplitSeq(clusters, ",") {
		app, err := rayAppOf(cluster, token)
		if err != nil {
			checks = append(checks, broken("ray", "worker --check-config", "%s %s", variable, err))
			continue
		}
		checks = append(checks, app.check(ctx))
	}
	return checks
}

// rayApp is the app of one cluster.
type rayApp struct{ cluster, address, shown, token string }

// rayAppOf reads name=url. Its error doesn't quote it: it may hold a password.
func rayAppOf(cluster, token string) (rayApp, error) {
	name, address, named := strings.Cut(strings.TrimSpace(cluster), "=")
	parsed, err := url.Parse(address)
	if !named || err != nil || parsed.Hostname() == "" {
		return rayApp{}, errors.New("must be name=url")
	}
	return rayApp{name, strings.TrimSuffix(parsed.String(), "/"), parsed.Redacted(), token}, nil
}

func rayToken() (string, error) {
	file := os.Getenv("DELIBERATION_RAY_TOKEN_FILE")
	if token := os.Getenv("DELIBERATION_RAY_TOKEN"); token != "" || file == "" {
		return token, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator's own
	return strings.TrimSpace(string(text)), err
}

func (a rayApp) check(ctx context.Context) checked {
	name, shown := "ray "+a.cluster, a.shown
	const deploy = "deploy the app, with its own variables: python -m deliberation_ray.deploy (locally: make up)"
	var health struct {
		Status string `json:"status"`
	}
	if status, err := (inquiry{address: a.address + "/healthz"}).ask(ctx, &health); err != nil || status != http.StatusOK || health.Status == "" {
		return broken(name, deploy, "%s/healthz: %s", shown, answered(status, err, "not the app's answer"))
	}
	var info rayInfo
	status, err := inquiry{address: a.address + "/v1/info", token: a.token}.ask(ctx, &info)
	switch {
	case status == http.StatusUnauthorized && a.token == "":
		return broken(name, "set DELIBERATION_RAY_TOKEN or DELIBERATION_RAY_TOKEN_FILE to the app's", "%s asks for a token", shown)
	case status == http.StatusUnauthorized:
		return broken(name, "set DELIBERATION_RAY_TOKEN or DELIBERATION_RAY_TOKEN_FILE to the app's", "%s refuses the token", shown)
	case err != nil || status != http.StatusOK:
		return broken(name, deploy, "%s/v1/info: %s", shown, answered(status, err, ""))
	case info.APIVersion != rayAPI:
		return broken(name, "deploy the app of this version: "+deploy, "%s speaks API version %d, workers %d", shown, info.APIVersion, rayAPI)
	}
	if a.token != "" { // whether it is asked for, shows a request without it
		status, _ = inquiry{address: a.address + "/v1/info"}.ask(ctx, &rayInfo{})
	}
	return info.judge(name, shown, status == http.StatusOK)
}

// judge tells runners that don't answer, and what else the app says of itself.
func (i rayInfo) judge(name, shown string, open bool) checked {
	up, draining := 0, 0
	var silent []string
	for _, runner := range i.Runners {
		switch {
		case runner.Incarnation == "":
			silent = append(silent, runner.Name)
		case runner.Draining:
			draining++
		default:
			up++
		}
	}
	const look = "look at Ray's dashboard, or: ray list actors --filter class_name=Runner"
	switch {
	case up == 0:
		return broken(name, look, "%s: no runner takes turns, of %d", shown, len(i.Runners))
	case len(silent) > 0:
		return broken(name, look, "%s: no answer from %s", shown, strings.Join(silent, ", "))
	}
	token := "token accepted"
	if open {
		token = "open to whoever reaches it (no DELIBERATION_RAY_TOKEN)"
	}
	seen := fmt.Sprintf("%s: API %d, build %s, Ray %s, %s, %s, %d of %d turns", shown, i.APIVersion, i.Build, i.RayVersion,
		token, domain.Count(up, "runner"), i.InFlight, i.Capacity)
	if draining > 0 {
		seen += fmt.Sprintf(", %d draining", draining)
	}
	return well(name, "%s", seen)
}

// answered says what came instead of what was asked for.
func answered(status int, err error, otherwise string) string {
	switch {
	case status != 0 && status != http.StatusOK:
		return fmt.Sprintf("answered %d", status)
	case err != nil:
		return err.Error()
	}
	return otherwise
}
