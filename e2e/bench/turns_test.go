//go:build integration

package bench

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

const (
	turnsOfCouncil = 16
	councilsOfRun  = 40
	jobsOfRun      = 8 // each takes seconds
)

// measureTurns compares turns a second with those of a Ray job for each agent, and of plain Ray Serve.
func measureTurns(t *testing.T, r *report) {
	t.Helper()
	m := newModel(t)
	_, queue := worker(t)
	deployPlainApp(t)
	councils := m.council(turnsOfCouncil, modelNames("instant", turnsOfCouncil)...) // a model has a limit of calls at a time
	run(t, 10, 10, deliberate(queue, councils))                                     // warm up
	run(t, 4, 4, m.askApp)
	run(t, 64, 64, m.askPlainApp)
	var whole, jobs, app, plain series
	for range *repetitions {
		whole = append(whole, turnsOfCouncil*run(t, councilsOfRun, councilsOfRun, deliberate(queue, councils)).perSecond())
		app = append(app, turnsOfCouncil*run(t, 2*councilsOfRun, 2*councilsOfRun, m.askApp).perSecond())
		plain = append(plain, run(t, 2*councilsOfRun*turnsOfCouncil, 256, m.askPlainApp).perSecond())
		jobs = append(jobs, run(t, jobsOfRun, 4, m.runJob).perSecond())
	}
	factor, share := ratios(whole, jobs), ratios(app, plain)
	r.add(line{second: true, what: "turns/s through the whole system", against: "Ray Jobs API, a job for each agent", base: jobs, ours: whole, ratio: factor, target: "≥ 40 ×", met: factor.median() >= 40, short: shortThroughput})
	r.add(line{second: true, what: "turns/s of the Ray app alone", against: "plain Serve, a request for each turn", base: plain, ours: app, ratio: share, target: "≥ 2 ×", met: share.median() >= 2, short: shortTurn})
	r.plot("turns", "turns/s", bar{"Ray Jobs, a job for each agent", jobs}, bar{"the whole system", whole}, bar{"plain Ray Serve", plain}, bar{"the Ray app alone", app})
}

// askApp does the turns of a council on the Ray app: submit, await, forget.
func (m *model) askApp(ctx context.Context, id string) error {
	var turns []map[string]any
	for n := range turnsOfCouncil {
		turns = append(turns, map[string]any{
			"submission_id": turnID(id, n), "agent_id": fmt.Sprintf("agent-%d", n), "vllm_url": m.url, "model": fmt.Sprintf("instant/%d", n),
			"messages":   []any{map[string]any{"role": "user", "parts": []any{map[string]any{"ref": "task"}}}},
			"parameters": map[string]any{"max_tokens": 2048}, "run_seconds": 60, "keep_seconds": 600,
		})
	}
	var accepted acceptance
	app := stack.At.RayAppURL
	err := ask(ctx, http.MethodPost, app+"/v1/turns", map[string]any{
		"owner": "bench", "deliberation": id, "common": map[string]any{"task": "Add rate limiting."}, "turns": turns,
	}, &accepted)
	if err != nil {
		return err
	}
	handles, waiting := make([]map[string]any, 0, len(turns)), make([]string, 0, len(turns))
	for n := range turns {
		waiting = append(waiting, turnID(id, n))
		handles = append(handles, map[string]any{
			"submission_id": waiting[n], "deliberation": id, "runner": accepted.Runner, "incarnation": accepted.Incarnation,
		})
	}
	for len(waiting) > 0 {
		if waiting, err = stillRunning(ctx, app, accepted, waiting); err != nil {
			return err
		}
	}
	return ask(ctx, http.MethodPost, app+"/v1/turns/forget", map[string]any{"owner": "bench", "turns": handles}, nil)
}

func turnID(id string, n int) string {
	return fmt.Sprintf("t%026x", fingerprint(fmt.Sprintf("%s/%d", id, n)))
}

// acceptance says where the turns of a submit live.
type acceptance struct {
	Runner      string `json:"runner"`
	Incarnation string `json:"incarnation"`
}

// stillRunning waits until some of the turns have ended and returns the others.
func stillRunning(ctx context.Context, app string, at acceptance, waiting []string) ([]string, error) {
	var answer struct {
		Turns []struct {
			ID    string `json:"submission_id"`
			State string `json:"state"`
		} `json:"turns"`
	}
	err := ask(ctx, http.MethodPost, app+"/v1/turns/await", map[string]any{
		"owner": "bench", "runner": at.Runner, "incarnation": at.Incarnation, "turns": waiting, "wait_seconds": 15,
	}, &answer)
	if err != nil {
		return nil, err
	}
	for _, turn := range answer.Turns {
		switch turn.State {
		case "completed":
			waiting = slices.DeleteFunc(waiting, func(id string) bool { return id == turn.ID })
		case "queued", "running":
		default:
			return nil, fmt.Errorf("turn %s is %s", turn.ID, turn.State)
		}
	}
	return waiting, nil
}

func (m *model) askPlainApp(ctx context.Context, _ string) error {
	return ask(ctx, http.MethodPost, strings.TrimSuffix(stack.At.RayAppURL, "/deliberation")+"/plain", map[string]any{
		"vllm_url": m.url, "model": "instant", "messages": []any{map[string]any{"role": "user", "content": "Add rate limiting."}},
	}, nil)
}

func deployPlainApp(t *testing.T) {
	t.Helper()
	// The same settings as in deploy/dev/stack/programs.py, so that Ray stays on the loopback address.
	settings := []string{"RAY_AUTH_MODE=disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0", stack.Path(".dev/venv/bin/python")}
	command := func(action string) stack.Output {
		return stack.Command(t, "env", append(settings, stack.Path("e2e/bench/plain/serve_app.py"), "--address", stack.At.RayAddress, action)...)
	}
	deployed := command("deploy")
	require.Zero(t, deployed.Code, deployed.Stderr)
	t.Cleanup(func() { command("delete") })
}
