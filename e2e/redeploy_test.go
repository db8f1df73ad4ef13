//go:build integration

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
)

// This test upgrades in the order of docs/upgrade.md, first the Ray app and then the worker, while deliberations
// run and others start.
func TestARedeployUnderLoadLosesAndRepeatsNothing(t *testing.T) {
	queue, held, quick := stack.Queue(t), stack.Model(t, "held"), stack.Model(t, "quick")
	stack.Script(t, held, stack.Holds())
	stack.Script(t, quick, stack.Answers("0.5"))
	before := buildOnRay(t)
	t.Cleanup(func() { // the other tests need the stack's own build
		require.NoError(t, deployRayApp())
		require.Equal(t, before, buildOnRay(t))
	})
	old := stack.StartWorker(t, queue)
	inFlight := beginMany(t, 25, queue, held)
	stack.AwaitOpenCalls(t, held, 25)

	deployed := make(chan error, 1)
	go func() { deployed <- deployRayApp("DELIBERATION_STREAM_NATS_URL=") }()
	meanwhile := startUntil(t, deployed, queue, quick)
	require.NotEqual(t, before, buildOnRay(t))
	stack.StartWorker(t, queue)
	old.Terminate(t)
	meanwhile = append(meanwhile, beginMany(t, 5, queue, quick)...)
	require.NoError(t, old.Wait())
	stack.Release(t, held)
	requireText(t, queue)

	for _, run := range slices.Concat(inFlight, meanwhile) {
		got := stack.Result(t, run)
		require.Equal(t, 1, got.CompletedAgents)
		require.Equal(t, 1, got.BestResult.Attempts)
	}
	requireCalledOnce(t, held, len(inFlight))
	requireCalledOnce(t, quick, len(meanwhile))
	t.Logf("%d deliberations in flight, %d started meanwhile", len(inFlight), len(meanwhile))
}

// startUntil starts one deliberation after another until something has ended without an error.
func startUntil(t *testing.T, ended <-chan error, queue, model string) []client.WorkflowRun {
	t.Helper()
	const every = 500 * time.Millisecond
	for runs := []client.WorkflowRun{}; ; {
		select {
		case err := <-ended:
			require.NoError(t, err)
			return runs
		case <-time.After(every):
			runs = append(runs, stack.Begin(t, queue, stack.Request(t, stack.Agents(model))))
		}
	}
}

// deployRayApp deploys the Ray app to the stack's Ray. Another value of a setting makes another build.
func deployRayApp(settings ...string) error {
	app, err := url.Parse(stack.At.RayAppURL)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), stack.Patience)
	defer cancel()
	deploy := exec.CommandContext(ctx, stack.Path(".dev/venv/bin/python"), "-m", "deliberation_ray.deploy",
		"--address", stack.At.RayAddress, "--http-host", app.Hostname(), "--http-port", app.Port())
	deploy.Env = slices.Concat(os.Environ(), []string{ // as in deploy/dev/stack/programs.py
		"RAY_AUTH_MODE=disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0", "DELIBERATION_RAY_TOKEN=" + stack.At.RayToken,
		"DELIBERATION_STREAM_NATS_URL=" + stack.At.NATSURL,
	}, settings)
	if out, err := deploy.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func buildOnRay(t require.TestingT) string {
	var answer struct {
		Build string `json:"build"`
	}
	stack.AskRay(t, "/v1/info", &answer)
	require.NotEmpty(t, answer.Build)
	return answer.Build
}
