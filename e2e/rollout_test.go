//go:build integration

package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
)

// This test replaces a versioned worker by the steps of docs/upgrade.md.
func TestARolloutLeavesDeliberationsOnTheirBuild(t *testing.T) {
	queue, deployment, model := stack.Queue(t), stack.Task(t), stack.Model(t, "held")
	stack.Script(t, model, stack.Holds())
	old := startBuild(t, queue, deployment, "a")
	early := beginMany(t, 20, queue, model)
	for _, waiting := range early {
		require.Empty(t, workersOf(t, waiting), "no build is current: nobody works")
	}
	becomeCurrent(t, old)
	stack.AwaitOpenCalls(t, model, 20)

	sameBuild, next := startBuild(t, queue, deployment, "a"), startBuild(t, queue, deployment, "b")
	becomeCurrent(t, next)
	late := beginMany(t, 5, queue, model)
	stack.AwaitOpenCalls(t, model, 25)
	requireListed(t, 20, deployment+":a")
	old.Terminate(t)
	require.NoError(t, old.Wait())
	stack.Release(t, model)

	for _, run := range early {
		require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
		require.Equal(t, []string{identity(old), identity(sameBuild)}, workersOf(t, run), "it stays on its build")
	}
	for _, run := range late {
		require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
		require.Equal(t, []string{identity(next)}, workersOf(t, run))
	}
	requireCalledOnce(t, model, 25)
}

// requireListed counts what runs on a build with the query of the runbook.
func requireListed(t *testing.T, count int, version string) {
	t.Helper()
	stack.Eventually(t, "the build's runs are counted", func(c *assert.CollectT) {
		counted := stack.TemporalCLI(c, "workflow", "count", "--query",
			fmt.Sprintf("TemporalWorkerDeploymentVersion='%s' AND ExecutionStatus='Running'", version))
		require.Equal(c, fmt.Sprintf("Total: %d\n", count), counted.Stdout, counted.Stderr)
	})
}

func startBuild(t *testing.T, queue, deployment, build string) *stack.Worker {
	t.Helper()
	return stack.StartWorker(t, queue, "TEMPORAL_DEPLOYMENT_NAME="+deployment, "TEMPORAL_WORKER_BUILD_ID="+build)
}

var setCurrent = regexp.MustCompile(`temporal (worker deployment set-current-version [^"]+)`)

// becomeCurrent makes a worker's build the current one, by the command from the worker's log. Temporal refuses it
// until the worker polls all its queues.
func becomeCurrent(t *testing.T, w *stack.Worker) {
	t.Helper()
	logged := setCurrent.FindStringSubmatch(w.Log(t))
	require.NotEmpty(t, logged)
	stack.Eventually(t, "the build is the current one", func(c *assert.CollectT) {
		ran := stack.TemporalCLI(c, append(strings.Fields(logged[1]), "--yes")...)
		require.Zero(c, ran.Code, ran.Stderr)
	})
}

// identity is the name by which Temporal knows a worker.
func identity(w *stack.Worker) string { return fmt.Sprint(w.PID()) }

// workersOf returns the workers that ran a run's workflow tasks and activities.
func workersOf(t require.TestingT, run client.WorkflowRun) []string {
	seen := map[string]bool{}
	var workers []string
	for _, event := range stack.History(t, run) {
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
		runs = append(runs, stack.Begin(t, queue, stack.Request(t, stack.Agents(model))))
	}
	return runs
}

// requireCalledOnce checks that exactly this many turns called the model, each of them once.
func requireCalledOnce(t *testing.T, model string, turns int) {
	t.Helper()
	times := map[string]int{}
	for _, call := range stack.Calls(t, model) {
		times[call.RequestID]++
	}
	require.Len(t, times, turns, "no turn is lost, and none is started again")
	for id, count := range times {
		require.Equal(t, 1, count, "turn %s was called twice", id)
	}
}
