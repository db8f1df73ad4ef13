//go:build integration

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// TestARolloutLeavesDeliberationsOnTheirBuild replaces a versioned worker as docs/upgrade.md says.
func TestARolloutLeavesDeliberationsOnTheirBuild(t *testing.T) {
	queue, deployment, model := queueOf(t), taskOf(t), modelOf(t, "held")
	script(t, model, holds())
	old := startBuild(t, queue, deployment, "a")
	early := beginMany(t, 20, queue, model)
	for _, waiting := range early {
		require.Empty(t, workersOf(t, waiting), "no build is current: nobody works")
	}
	old.becomeCurrent(t)
	running(t, model, 20)

	sameBuild, next := startBuild(t, queue, deployment, "a"), startBuild(t, queue, deployment, "b")
	next.becomeCurrent(t)
	late := beginMany(t, 5, queue, model)
	running(t, model, 25)
	requireListed(t, 20, deployment+":a")
	require.NoError(t, old.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, old.cmd.Wait())
	release(t, model)

	for _, run := range early {
		require.Equal(t, 1, result(t, run).CompletedAgents)
		require.Equal(t, []string{old.identity(), sameBuild.identity()}, workersOf(t, run), "it stays on its build")
	}
	for _, run := range late {
		require.Equal(t, 1, result(t, run).CompletedAgents)
		require.Equal(t, []string{next.identity()}, workersOf(t, run))
	}
	requireCalledOnce(t, model, 25)
}

// requireListed finds what runs on a build as the runbook does.
func requireListed(t *testing.T, count int, version string) {
	t.Helper()
	eventually(t, "the build's runs are counted", func(c *assert.CollectT) {
		counted := temporalCLI(c, "workflow", "count", "--query",
			fmt.Sprintf("TemporalWorkerDeploymentVersion='%s' AND ExecutionStatus='Running'", version))
		require.Equal(c, fmt.Sprintf("Total: %d\n", count), counted.stdout, counted.stderr)
	})
}

func startBuild(t *testing.T, queue, deployment, build string) *worker {
	t.Helper()
	return startWorker(t, queue, "TEMPORAL_DEPLOYMENT_NAME="+deployment, "TEMPORAL_WORKER_BUILD_ID="+build)
}

var setCurrent = regexp.MustCompile(`temporal (worker deployment set-current-version [^"]+)`)

// becomeCurrent runs the command from the worker's log. Temporal refuses it until the worker polls all its queues.
func (w *worker) becomeCurrent(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(w.log)
	require.NoError(t, err)
	logged := setCurrent.FindStringSubmatch(string(log))
	require.NotEmpty(t, logged)
	eventually(t, "the build is the current one", func(c *assert.CollectT) {
		ran := temporalCLI(c, append(strings.Fields(logged[1]), "--yes")...)
		require.Zero(c, ran.code, ran.stderr)
	})
}

// identity is how Temporal knows the worker.
func (w *worker) identity() string { return fmt.Sprint(w.cmd.Process.Pid) }

// workersOf are the workers that ran a run's workflow tasks and activities.
func workersOf(t require.TestingT, run client.WorkflowRun) []string {
	seen := map[string]bool{}
	var workers []string
	for _, event := range history(t, run) {
		who := event.GetWorkflowTaskStartedEventAttributes().GetIdentity() + event.GetActivityTaskStartedEventAttributes().GetIdentity()
		process, _, _ := strings.Cut(who, "@")
		if who != "" && !seen[process] {
			seen[process] = true
			workers = append(workers, process)
		}
	}
	return workers
}

// beginMany starts deliberations of one agent each.
func beginMany(t *testing.T, count int, queue, model string) []client.WorkflowRun {
	t.Helper()
	var runs []client.WorkflowRun
	for range count {
		runs = append(runs, begin(t, queue, requestOf(t, agents(model))))
	}
	return runs
}

// requireCalledOnce checks that each of so many turns was put to the model once.
func requireCalledOnce(t *testing.T, model string, turns int) {
	t.Helper()
	times := map[string]int{}
	for _, call := range calls(t, model) {
		times[call.RequestID]++
	}
	require.Len(t, times, turns, "no turn is lost, and none begun anew")
	for id, count := range times {
		require.Equal(t, 1, count, "turn %s was called twice", id)
	}
}
