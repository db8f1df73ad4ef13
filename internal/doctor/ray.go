package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fetch"
	"deliberation.io/deliberation/internal/rayclusters"
)

// rayAPI is the version of the app's API that workers use.
const rayAPI = 1

const deployRay = "deploy the app, with its own variables: python -m deliberation_ray.deploy (locally: make up)"

// rayApp is the app of one cluster.
type rayApp struct {
	*ray.Client

	at        rayclusters.Cluster
	withToken bool
}

// rayApps returns the apps that the settings name, and a finding for each one that can't be asked.
func (s Settings) rayApps() (apps []rayApp, unusable []Finding) {
	if s.RayClusters == "" {
		return nil, []Finding{skipped("ray", "%s is not set here: take the worker's, or ask a worker: starter clusters --worker HOST:PORT", rayclusters.Variable)}
	}
	token := s.RayToken
	if token == "" && s.RayTokenFile != "" {
		read, err := rayclusters.ReadToken(s.RayTokenFile)
		if err != nil {
			return nil, []Finding{failed("ray", "worker --check-config", "%s", err)}
		}
		token = read
	}
	for item := range strings.SplitSeq(s.RayClusters, ",") {
		at, err := rayclusters.Parse(item)
		if err != nil {
			unusable = append(unusable, failed("ray", "worker --check-config", "%s must be name=url", rayclusters.Variable))
			continue
		}
		client, err := ray.New(ray.Config{Name: at.Name, URL: at.URL, Token: token})
		if err != nil {
			unusable = append(unusable, failed("ray "+at.Name, "worker --check-config", "%s", err))
			continue
		}
		apps = append(apps, rayApp{client, at, token != ""})
	}
	return apps, unusable
}

// checkRay checks the apps. It also returns the apps that answered, so that the token goes to no other server.
func (s Settings) checkRay(ctx context.Context) (findings []Finding, answered []rayApp) {
	apps, findings := s.rayApps()
	for _, app := range apps {
		finding := app.checkHealth(ctx)
		if finding.Result == OK {
			finding = app.checkInfo(ctx)
			answered = append(answered, app)
		}
		findings = append(findings, finding)
	}
	return findings, answered
}

// checkHealth asks without a token.
func (a rayApp) checkHealth(ctx context.Context) Finding {
	var health struct {
		Status string `json:"status"`
	}
	err := fetch.JSON(ctx, a.at.URL+"/healthz", &health)
	if err == nil && health.Status == "" {
		err = errors.New("not the app's answer")
	}
	if err != nil {
		return failed("ray "+a.at.Name, deployRay, "%s/healthz: %s", a.at.URL, err)
	}
	return ok("ray "+a.at.Name, "%s answers", a.at.URL)
}

func (a rayApp) checkInfo(ctx context.Context) Finding {
	name := "ray " + a.at.Name
	info, err := a.Info(ctx)
	const setToken = "set " + rayclusters.TokenVariable + " or " + rayclusters.TokenFileVariable + " to the app's"
	switch refused, is := errors.AsType[*domain.Error](err); {
	case is && refused.Kind == domain.KindDenied && a.withToken:
		return failed(name, setToken, "%s refuses the token", a.at.URL)
	case is && refused.Kind == domain.KindDenied:
		return failed(name, setToken, "%s asks for a token", a.at.URL)
	case err != nil:
		return failed(name, deployRay, "%s/v1/info: %s", a.at.URL, cause(err))
	case info.APIVersion != rayAPI:
		return failed(name, "deploy the app of this version: "+deployRay, "%s speaks API version %d, workers %d", a.at.URL, info.APIVersion, rayAPI)
	}
	return a.judge(name, info, a.open(ctx))
}

// open reports whether the app answers without a token.
func (a rayApp) open(ctx context.Context) bool {
	stranger, err := ray.New(ray.Config{Name: a.at.Name, URL: a.at.URL})
	if err == nil {
		_, err = stranger.Info(ctx)
	}
	return err == nil
}

// judge checks the runners. An open app answers without a token.
func (a rayApp) judge(name string, info ray.Info, open bool) Finding {
	up, draining := 0, 0
	var silent []string
	for _, runner := range info.Runners {
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
		return failed(name, look, "%s: no runner takes turns, of %d", a.at.URL, len(info.Runners))
	case len(silent) > 0:
		return failed(name, look, "%s: no answer from %s", a.at.URL, strings.Join(silent, ", "))
	}
	token := "token accepted"
	if open {
		token = "open to whoever reaches it (no " + rayclusters.TokenVariable + ")"
	}
	seen := fmt.Sprintf("%s: API %d, build %s, Ray %s, %s, %s, %d of %d turns", a.at.URL, info.APIVersion, info.Build, info.RayVersion,
		token, domain.Count(up, "runner"), info.InFlight, info.Capacity)
	if draining > 0 {
		seen += fmt.Sprintf(", %d draining", draining)
	}
	return ok(name, "%s", seen)
}

// cause returns an error of the Ray client without the operation, which the finding names.
func cause(err error) error {
	if ours, is := errors.AsType[*domain.Error](err); is && ours.Err != nil {
		return ours.Err
	}
	return err
}
