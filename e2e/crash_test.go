//go:build integration

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows"
)

func TestAKilledWorkerCostsNoSecondCall(t *testing.T) {
	queue := stack.Queue(t)
	first := stack.StartWorker(t, queue)
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.Slow(20))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model, model)))
	stack.AwaitOpenCalls(t, model, 3)
	stack.AwaitPolls(t, run, 3)

	first.Kill(t)
	stack.StartWorker(t, queue)

	got := stack.Result(t, run)
	require.Equal(t, 3, got.CompletedAgents)
	require.Len(t, stack.Calls(t, model), 3, "the model was called once per agent")
	requireTakenOver(t, run, 3)
}

func TestAWorkerHandsItsWaitsOverWhenItIsToldToStop(t *testing.T) {
	queue := stack.Queue(t)
	first := stack.StartWorker(t, queue)
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.Slow(20))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model)))
	stack.AwaitOpenCalls(t, model, 2)
	stack.AwaitPolls(t, run, 2)
	stack.StartWorker(t, queue)

	stopped := time.Now()
	first.Terminate(t)
	require.NoError(t, first.Wait())
	require.Less(t, time.Since(stopped), 5*time.Second)

	got := stack.Result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Len(t, stack.Calls(t, model), 2)
	requireTakenOver(t, run, 2)
}

// requireTakenOver checks that a second attempt, by another worker, ended each of the waits.
func requireTakenOver(t *testing.T, run client.WorkflowRun, waits int) {
	t.Helper()
	ended := stack.Attempts(t, run, workflows.AwaitTurn.Name())
	require.Len(t, ended, waits)
	require.NotContains(t, ended, 1)
}

func TestAKilledRunnerCostsOneMoreCallPerLostTurn(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.HangsFirst(3, stack.Answers("0.5"))...)
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model, model)))
	stack.AwaitOpenCalls(t, model, 3)
	killRunnerOf(t, run)

	got := stack.Result(t, run)
	require.Equal(t, 3, got.CompletedAgents)
	require.Equal(t, 2, got.BestResult.Attempts)
	require.Len(t, stack.Calls(t, model), 6)
}

func TestALargeCouncilSurvivesItsRunner(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "slow")
	council := slices.Repeat([]string{model}, 64)
	stack.Script(t, model, stack.HangsFirst(len(council), stack.Answers("0.5"))...)
	request := stack.Request(t, stack.Agents(council...))
	request.TaskDescription = strings.Repeat("x", domain.MaxDescription)
	run := stack.Begin(t, queue, request)
	stack.AwaitOpenCalls(t, model, len(council))
	killRunnerOf(t, run)

	got := stack.Result(t, run)
	require.Equal(t, len(council), got.CompletedAgents)
	require.Len(t, stack.Calls(t, model), 2*len(council))
	described, err := stack.Temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.Less(t, described.GetWorkflowExecutionInfo().GetHistorySizeBytes(), int64(4<<20), "64 retries don't repeat the texts")
}

func TestALostAnswerToASubmitCostsNoSecondCall(t *testing.T) {
	queue := stack.Queue(t)
	proxy, url := stack.ProxyToRay(t)
	stack.StartWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=local="+url)
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.Slow(10))
	// No byte of an answer comes through: the app does the work, and the worker doesn't learn of it.
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"deaf","type":"limit_data","stream":"downstream","attributes":{"bytes":0}}`))
	require.NoError(t, err)

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model)))
	stack.AwaitOpenCalls(t, model, 2)
	require.NoError(t, proxy.Toxics.RemoveToxic(t.Context(), "deaf"))

	got := stack.Result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Len(t, stack.Calls(t, model), 2)
}

func TestADeliberationIsQueuedWhileRayIsAway(t *testing.T) {
	queue := stack.Queue(t)
	proxy, url := stack.ProxyToRay(t)
	proxy.Stop()
	stack.StartWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=local="+url)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))

	stack.Eventually(t, "it says that it is queued", func(c *assert.CollectT) {
		s := stack.Status(c, run)
		require.Equal(c, "queued", s.Phase)
		require.Equal(c, domain.StatusRunning, s.Status)
		require.Equal(c, "local", s.WaitingFor)
	})
	stack.Eventually(t, "the starter says why", func(c *assert.CollectT) {
		requireAll(c, stack.Starter(c, "status", run.GetID()).Stdout, "queued", "local", "refused")
	})
	require.NoError(t, proxy.Start())
	require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
	require.Len(t, stack.Calls(t, model), 1)
}

func TestAStoppedNATSDelaysOnlyTheEvents(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	stack.Stop(t, "nats")
	restarted := false
	t.Cleanup(func() {
		if !restarted {
			stack.Start(t, "nats")
		}
	})

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model)))
	require.Equal(t, 2, stack.Result(t, run).CompletedAgents, "the result waits for no event")

	stack.Start(t, "nats")
	restarted = true
	require.Equal(t, []string{"started", "agent_completed", "agent_completed", "completed"}, stack.Kinds(stack.Events(t, run, 4)))
}

// killRunnerOf kills the runner that holds the run's turns.
func killRunnerOf(t *testing.T, run client.WorkflowRun) {
	t.Helper()
	turns := stack.TurnsOf(t, run.GetID())
	require.NotEmpty(t, turns)
	all := stack.Runners(t)
	ours := slices.IndexFunc(all, func(one stack.Runner) bool { return one.Name == turns[0].Runner })
	require.GreaterOrEqual(t, ours, 0, "no runner %s", turns[0].Runner)
	require.NoError(t, syscall.Kill(all[ours].PID, syscall.SIGKILL))
}
