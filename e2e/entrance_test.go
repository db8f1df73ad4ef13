//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestStartByTheTemporalCommandWithAnyWorkflowID(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(asJSON(t, requestOf(t, agents(model)))), 0o600))
	id := "team/" + taskOf(t)

	begun := temporalCLI(t, "workflow", "start", "--type", "Deliberation", "--task-queue", queue, "--workflow-id", id, "--input-file", file)
	require.Zero(t, begun.code, begun.stderr)
	ended := temporalCLI(t, "workflow", "result", "--workflow-id", id, "-o", "json")
	require.Zero(t, ended.code, ended.stderr)
	require.Contains(t, ended.stdout, `"completed"`)

	run := temporalClient.GetWorkflow(t.Context(), id, "")
	requireAll(t, strings.Join(eventTypes(t, run), "\n"), "SubmitTurns", "AwaitTurn", "PublishEvents")
}

func TestATypedRequestFromGo(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	request := requestOf(t, agents(model))

	first, err := contract.Start(t.Context(), temporalClient, request, contract.StartOptions{TaskQueue: queue})
	require.NoError(t, err)
	require.Equal(t, 1, result(t, first.Run).CompletedAgents)

	again, err := contract.Start(t.Context(), temporalClient, request, contract.StartOptions{TaskQueue: queue})
	require.NoError(t, err)
	require.True(t, again.Attached)
	require.Equal(t, first.Run.GetRunID(), again.Run.GetRunID())

	request.TaskDescription = "Something else"
	_, err = contract.Start(t.Context(), temporalClient, request, contract.StartOptions{TaskQueue: queue})
	var different *contract.DifferentRequestError
	require.ErrorAs(t, err, &different)
	require.Equal(t, []string{"task_description"}, different.Fields)
	require.Len(t, calls(t, model), 1)
}

func TestQueriesDuringARun(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "hangs")
	script(t, model, hangs())
	run := begin(t, queue, requestOf(t, agents(model)))
	running(t, model, 1)
	eventually(t, "the agent is submitted, and only its poll is open", func(c *assert.CollectT) {
		require.Equal(c, domain.AgentSubmitted, status(c, run).Agents[0].State)
		requireOnlyPolls(c, run)
	})

	var first, second contract.Job
	query(t, run, contract.QueryJob, &first)
	tasks := workflowTasks(t, run)
	require.Equal(t, "RUNNING", first.Status)
	eventually(t, "the runtime grows", func(c *assert.CollectT) {
		query(c, run, contract.QueryJob, &second)
		require.NotEqual(c, first.Runtime, second.Runtime)
	})
	require.Equal(t, tasks, workflowTasks(t, run), "no workflow task was between")
	eventually(t, "describe shows the poll's heartbeat", func(c *assert.CollectT) {
		requireAll(c, temporalCLI(c, "workflow", "describe", "--workflow-id", run.GetID(), "-o", "json").stdout, "AwaitTurn", "heartbeatDetails")
	})
}

func TestQueriesAfterARun(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	run := begin(t, queue, requestOf(t, agents(model)))
	require.Equal(t, 1, result(t, run).CompletedAgents)

	after := status(t, run)
	require.Equal(t, domain.StatusCompleted, after.Status)
	require.NotNil(t, after.Result)
	require.NotNil(t, after.ClosedAt)
	var job contract.Job
	query(t, run, contract.QueryJob, &job)
	require.Equal(t, "SUCCEEDED", job.Status)
}

// requireOnlyPolls checks that a run waits for Ray and nothing else: no event is on its way to NATS.
func requireOnlyPolls(t require.TestingT, run client.WorkflowRun) {
	described, err := temporalClient.DescribeWorkflowExecution(context.Background(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.NotEmpty(t, described.GetPendingActivities())
	for _, pending := range described.GetPendingActivities() {
		require.Equal(t, workflows.AwaitTurn.Name(), pending.GetActivityType().GetName())
	}
	require.Nil(t, described.GetPendingWorkflowTask())
}

func workflowTasks(t require.TestingT, run client.WorkflowRun) int {
	count := 0
	for _, event := range history(t, run) {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil {
			count++
		}
	}
	return count
}

func TestTerminatedIsSeenAsFailedWithTheReason(t *testing.T) {
	queue := queueOf(t)
	w := startWorker(t, queue)
	model := modelOf(t, "hangs")
	script(t, model, hangs())
	run := begin(t, queue, requestOf(t, agents(model)))
	running(t, model, 1)
	require.NoError(t, temporalClient.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "enough of it"))
	w.kill(t)

	shown := starter(t, "status", run.GetID(), "--json")
	require.Zero(t, shown.code, shown.stderr)
	var status contract.Status
	require.NoError(t, json.Unmarshal([]byte(shown.stdout), &status))
	require.Equal(t, domain.StatusFailed, status.Status)
	require.Contains(t, *status.ErrorMessage, "enough of it")
}

func TestAResultNeedsNoWorker(t *testing.T) {
	queue := queueOf(t)
	w := startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	run := begin(t, queue, requestOf(t, agents(model)))
	result(t, run)
	w.kill(t)

	shown := starter(t, "result", run.GetID(), "--json")
	require.Zero(t, shown.code, shown.stderr)
	require.Contains(t, shown.stdout, `"completed"`)
}

func TestBadInputFailsAtOnceAndNamesEveryFault(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	bad := map[string]any{"task_id": "", "agents": []any{}, "constraints": map[string]any{"max_retry": 1}}
	for name, input := range map[string]any{
		"empty object": bad, "null": nil, "list": []any{}, "text": "x",
		"600 KiB": map[string]any{"task_description": strings.Repeat("x", 600<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			kind, _ := failure(t, begin(t, queue, input))
			require.Equal(t, domain.InvalidRequest, kind)
		})
	}
	err := begin(t, queue, bad).Get(t.Context(), nil)
	require.ErrorContains(t, err, "task_id: cannot be empty")
	require.ErrorContains(t, err, "agents: needs at least one agent")
	require.ErrorContains(t, err, "constraints.max_retry: unknown field; did you mean max_retries?")
}

func TestInputBeyondTheServersBoundIsNamedBeforeItIsSent(t *testing.T) {
	for _, megabytes := range []int{3, 10} {
		file := filepath.Join(t.TempDir(), "request.json")
		request := requestOf(t, agents("m"))
		request.TaskDescription = strings.Repeat("x", megabytes<<20)
		require.NoError(t, os.WriteFile(file, []byte(asJSON(t, request)), 0o600))
		refused := starter(t, "run", "-f", file)
		require.Equal(t, 2, refused.code)
		require.Contains(t, refused.stderr, "task_description: must be at most 262144 bytes")
	}
}

func TestModelServersThatMayNotBeNamed(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue, "DELIBERATION_VLLM_ALLOW=*.models.example,"+strings.TrimPrefix(stack.ModelURL, "http://"))
	for name, url := range map[string]string{
		"link-local": "http://169.254.169.254/v1", "outside the list": "http://elsewhere.example",
	} {
		t.Run(name, func(t *testing.T) {
			request := requestOf(t, agents("m"))
			request.VLLMURL = url
			run := begin(t, queue, request)
			kind, _ := failure(t, run)
			require.Equal(t, domain.InvalidRequest, kind)
			require.ErrorContains(t, run.Get(t.Context(), nil), "vllm_url: ")
		})
	}
	t.Run("a redirect out of it", func(t *testing.T) {
		model := modelOf(t, "redirects")
		script(t, model, step{"status": 307, "redirect": "http://169.254.169.254/v1/chat/completions"})
		request := requestOf(t, agents(model))
		request.Constraints.MaxRetries = new(0)
		kind, details := failure(t, begin(t, queue, request))
		require.Equal(t, domain.DeliberationFailed, kind)
		require.Len(t, details.Failures, 1)
	})
}

func requireAll(t require.TestingT, text string, parts ...string) {
	for _, part := range parts {
		require.Contains(t, text, part)
	}
}
