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
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestTheTemporalCommandStartsUnderAnyWorkflowID(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	file := filepath.Join(t.TempDir(), "request.json")
	require.NoError(t, os.WriteFile(file, []byte(asJSON(t, stack.Request(t, stack.Agents(model)))), 0o600))
	id := "team/" + stack.Task(t)

	begun := stack.TemporalCLI(t, "workflow", "start", "--type", "Deliberation", "--task-queue", queue, "--workflow-id", id, "--input-file", file)
	require.Zero(t, begun.Code, begun.Stderr)
	ended := stack.TemporalCLI(t, "workflow", "result", "--workflow-id", id, "-o", "json")
	require.Zero(t, ended.Code, ended.Stderr)
	require.Contains(t, ended.Stdout, `"completed"`)

	run := stack.Temporal.GetWorkflow(t.Context(), id, "")
	requireAll(t, strings.Join(stack.EventTypes(t, run), "\n"), "SubmitTurns", "AwaitTurn", "CloseDeliberation")
}

func TestAGoClientStartsWithATypedRequest(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	request := stack.Request(t, stack.Agents(model))

	first, err := contract.Start(t.Context(), stack.Temporal, request, contract.StartOptions{TaskQueue: queue})
	require.NoError(t, err)
	require.Equal(t, 1, stack.Result(t, first.Run).CompletedAgents)

	again, err := contract.Start(t.Context(), stack.Temporal, request, contract.StartOptions{TaskQueue: queue})
	require.NoError(t, err)
	require.True(t, again.Attached)
	require.Equal(t, first.Run.GetRunID(), again.Run.GetRunID())

	request.TaskDescription = "Something else"
	_, err = contract.Start(t.Context(), stack.Temporal, request, contract.StartOptions{TaskQueue: queue})
	var different *contract.DifferentRequestError
	require.ErrorAs(t, err, &different)
	require.Equal(t, []string{"task_description"}, different.Fields)
	require.Len(t, stack.Calls(t, model), 1)
}

func TestQueriesAnswerDuringARun(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "hangs")
	stack.Script(t, model, stack.Hangs())
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.AwaitOpenCalls(t, model, 1)
	stack.Eventually(t, "the agent is submitted, and only its poll is open", func(c *assert.CollectT) {
		require.Equal(c, domain.AgentSubmitted, stack.Status(c, run).Agents[0].State)
		requireOnlyPolls(c, run)
	})

	var first, second contract.Job
	stack.Query(t, run, contract.QueryJob, &first)
	tasks := workflowTasks(t, run)
	require.Equal(t, "RUNNING", first.Status)
	stack.Eventually(t, "the runtime grows", func(c *assert.CollectT) {
		stack.Query(c, run, contract.QueryJob, &second)
		require.NotEqual(c, first.Runtime, second.Runtime)
	})
	require.Equal(t, tasks, workflowTasks(t, run), "no workflow task came in between")
	stack.Eventually(t, "describe shows the poll's heartbeat", func(c *assert.CollectT) {
		requireAll(c, stack.TemporalCLI(c, "workflow", "describe", "--workflow-id", run.GetID(), "-o", "json").Stdout, "AwaitTurn", "heartbeatDetails")
	})
}

func TestQueriesAnswerAfterARun(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	require.Equal(t, 1, stack.Result(t, run).CompletedAgents)

	after := stack.Status(t, run)
	require.Equal(t, domain.StatusCompleted, after.Status)
	require.NotNil(t, after.Result)
	require.NotNil(t, after.ClosedAt)
	var job contract.Job
	stack.Query(t, run, contract.QueryJob, &job)
	require.Equal(t, "SUCCEEDED", job.Status)
}

// requireOnlyPolls checks that a run waits for Ray only: no event is being published.
func requireOnlyPolls(t require.TestingT, run client.WorkflowRun) {
	described, err := stack.Temporal.DescribeWorkflowExecution(context.Background(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.NotEmpty(t, described.GetPendingActivities())
	for _, pending := range described.GetPendingActivities() {
		require.Equal(t, workflows.AwaitTurn.Name(), pending.GetActivityType().GetName())
	}
	require.Nil(t, described.GetPendingWorkflowTask())
}

func workflowTasks(t require.TestingT, run client.WorkflowRun) int {
	count := 0
	for _, event := range stack.History(t, run) {
		if event.GetWorkflowTaskCompletedEventAttributes() != nil {
			count++
		}
	}
	return count
}

func TestATerminatedRunIsShownAsFailedWithTheReason(t *testing.T) {
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue)
	model := stack.Model(t, "hangs")
	stack.Script(t, model, stack.Hangs())
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.AwaitOpenCalls(t, model, 1)
	require.NoError(t, stack.Temporal.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "enough of it"))
	w.Kill(t)

	shown := stack.Starter(t, "status", run.GetID(), "--json")
	require.Zero(t, shown.Code, shown.Stderr)
	var status contract.Status
	require.NoError(t, json.Unmarshal([]byte(shown.Stdout), &status))
	require.Equal(t, domain.StatusFailed, status.Status)
	require.Contains(t, *status.ErrorMessage, "enough of it")
}

func TestAResultNeedsNoWorker(t *testing.T) {
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.Result(t, run)
	w.Kill(t)

	shown := stack.Starter(t, "result", run.GetID(), "--json")
	require.Zero(t, shown.Code, shown.Stderr)
	require.Contains(t, shown.Stdout, `"completed"`)
}

func TestABadInputFailsImmediatelyAndNamesEveryFault(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	bad := map[string]any{"task_id": "", "agents": []any{}, "constraints": map[string]any{"max_retry": 1}}
	for name, input := range map[string]any{
		"empty object": bad, "null": nil, "list": []any{}, "text": "x",
		"600 KiB": map[string]any{"task_description": strings.Repeat("x", 600<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			kind, _ := failure(t, stack.Begin(t, queue, input))
			require.Equal(t, domain.InvalidRequest, kind)
		})
	}
	err := stack.Begin(t, queue, bad).Get(t.Context(), nil)
	require.ErrorContains(t, err, "task_id: cannot be empty")
	require.ErrorContains(t, err, "agents: needs at least one agent")
	require.ErrorContains(t, err, "constraints.max_retry: unknown field; did you mean max_retries?")
}

func TestTheStarterRefusesAnInputThatIsTooLarge(t *testing.T) {
	for _, megabytes := range []int{3, 10} {
		file := filepath.Join(t.TempDir(), "request.json")
		request := stack.Request(t, stack.Agents("m"))
		request.TaskDescription = strings.Repeat("x", megabytes<<20)
		require.NoError(t, os.WriteFile(file, []byte(asJSON(t, request)), 0o600))
		refused := stack.Starter(t, "run", "-f", file)
		require.Equal(t, 2, refused.Code)
		require.Contains(t, refused.Stderr, "task_description: must be at most 262144 bytes")
	}
}

func TestForbiddenModelServersAreRefused(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue, "DELIBERATION_VLLM_ALLOW=*.models.example,"+strings.TrimPrefix(stack.At.ModelURL, "http://"))
	for name, url := range map[string]string{
		"link-local": "http://169.254.169.254/v1", "outside the list": "http://elsewhere.example",
	} {
		t.Run(name, func(t *testing.T) {
			request := stack.Request(t, stack.Agents("m"))
			request.VLLMURL = url
			run := stack.Begin(t, queue, request)
			kind, _ := failure(t, run)
			require.Equal(t, domain.InvalidRequest, kind)
			require.ErrorContains(t, run.Get(t.Context(), nil), "vllm_url: ")
		})
	}
	t.Run("a redirect out of it", func(t *testing.T) {
		model := stack.Model(t, "redirects")
		stack.Script(t, model, stack.Step{"status": 307, "redirect": "http://169.254.169.254/v1/chat/completions"})
		request := stack.Request(t, stack.Agents(model))
		request.Constraints.MaxRetries = new(0)
		kind, details := failure(t, stack.Begin(t, queue, request))
		require.Equal(t, domain.DeliberationFailed, kind)
		require.Len(t, details.Failures, 1)
	})
}

func requireAll(t require.TestingT, text string, parts ...string) {
	for _, part := range parts {
		require.Contains(t, text, part)
	}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
