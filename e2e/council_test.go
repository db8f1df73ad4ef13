//go:build integration

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestThreeAgentsCompleteAndAreRanked(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	low, high, middle := stack.Model(t, "low"), stack.Model(t, "high"), stack.Model(t, "middle")
	stack.Script(t, low, stack.Answers("0.2"))
	stack.Script(t, high, stack.Answers("0.9"))
	stack.Script(t, middle, stack.Answers("0.5"))

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(low, high, middle)))

	got := stack.Result(t, run)
	require.Equal(t, domain.StatusCompleted, got.Status)
	require.Equal(t, []float64{0.9, 0.5, 0.2}, []float64{got.Results[0].Score, got.Results[1].Score, got.Results[2].Score})
	require.Equal(t, "agent-2", got.BestResult.AgentID)
	require.False(t, got.Degraded)
	require.Equal(t, 3, got.Usage.LLMCalls)
	require.Equal(t, []string{"started", "agent_completed", "agent_completed", "agent_completed", "completed"}, stack.Kinds(stack.Events(t, run, 5)))
	require.Equal(t, 1, stack.Scheduled(t, run, workflows.SubmitTurns.Name()))
	require.Equal(t, 3, stack.Scheduled(t, run, workflows.AwaitTurn.Name()))
	stack.Eventually(t, "outcomes that are in history are forgotten on Ray", func(c *assert.CollectT) {
		require.Empty(c, stack.TurnsOf(c, run.GetID()))
	})
}

func TestAModelThatFailedTwiceIsAskedAgain(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	flaky := stack.Model(t, "flaky")
	stack.Script(t, flaky, stack.Step{"status": 500}, stack.Step{"status": 500}, stack.Answers("0.7"))

	got := stack.Result(t, stack.Begin(t, queue, stack.Request(t, stack.Agents(flaky))))

	require.Equal(t, 3, got.BestResult.Attempts)
	require.Len(t, stack.Calls(t, flaky), 3)
	require.Equal(t, 3, got.Usage.LLMCalls)
}

func TestOneAgentFailsForGoodWhileTheOthersWin(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	refused, good := stack.Model(t, "refused"), stack.Model(t, "good")
	stack.Script(t, refused, stack.Step{"status": 404, "error": "no such model"})
	stack.Script(t, good, stack.Answers("0.7"))

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(refused, good, good)))

	got := stack.Result(t, run)
	require.True(t, got.Degraded)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, domain.ModelRejected, got.Failures[0].ErrorType)
	require.Len(t, stack.Calls(t, refused), 1, "what the model refuses isn't asked again")
	require.Contains(t, stack.Kinds(stack.Events(t, run, 5)), "agent_failed")
}

func TestAllAgentsFail(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	down := stack.Model(t, "down")
	stack.Script(t, down, stack.Step{"status": 500})
	request := stack.Request(t, stack.Agents(down, down))
	request.Constraints.MaxRetries = new(1)

	run := stack.Begin(t, queue, request)

	kind, details := failure(t, run)
	require.Equal(t, domain.DeliberationFailed, kind)
	require.Len(t, details.Failures, 2)
	require.Equal(t, domain.ModelUnavailable, details.Failures[0].ErrorType)
	require.Equal(t, 2, details.Failures[0].Attempts)
	require.Equal(t, "failed", last(stack.Kinds(stack.Events(t, run, 4))))
}

func TestTheDeadlineFailsADeliberationWithoutAProposal(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "hangs")
	stack.Script(t, model, stack.Hangs())
	request := stack.Request(t, stack.Agents(model))
	request.Constraints.TimeoutSeconds = new(10)

	run := stack.Begin(t, queue, request)

	kind, details := failure(t, run)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Equal(t, domain.StillRunning, details.Failures[0].ErrorType)
	deadline := stack.TimeOf(t, run, enumspb.EVENT_TYPE_TIMER_FIRED)
	late := stack.TimeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED).Sub(deadline)
	require.Less(t, late, 3*time.Second, "it ends within 3 s of its deadline while Ray answers")
	require.Len(t, stack.Calls(t, model), 1)
	stack.AwaitOpenCalls(t, model, 0)
}

func TestTheDeadlineKeepsTheProposalsThatAreThere(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	endless, good := stack.Model(t, "hangs"), stack.Model(t, "good")
	stack.Script(t, endless, stack.Hangs())
	stack.Script(t, good, stack.Answers("0.6"))
	request := stack.Request(t, stack.Agents(good, endless, good))
	request.Constraints.TimeoutSeconds = new(10)

	got := stack.Result(t, stack.Begin(t, queue, request))

	require.True(t, got.Degraded)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, domain.StopDeadline, got.StopReason)
	stack.AwaitOpenCalls(t, endless, 0)
}

func TestACancelledDeliberationLeavesNothingRunning(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "hangs")
	stack.Script(t, model, stack.Hangs())
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model, model)))
	stack.AwaitOpenCalls(t, model, 3)

	require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))

	stack.AwaitOpenCalls(t, model, 0)
	cancelled := stack.TimeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
	for _, call := range stack.Calls(t, model) {
		require.WithinDuration(t, cancelled, call.EndedAt, 2*time.Second, "nothing runs at the model 2 s after the cancel")
	}
	require.True(t, temporal.IsCanceledError(run.Get(t.Context(), nil)))
	for _, turn := range stack.TurnsOf(t, run.GetID()) {
		require.NotContains(t, []string{"queued", "running"}, turn.State)
	}
	require.Equal(t, []string{"started", "agent_failed", "agent_failed", "agent_failed", "cancelled"}, stack.Kinds(stack.Events(t, run, 5)))
	require.Len(t, stack.Calls(t, model), 3)
}

// failure waits until a run has failed, and returns the type of its error and the details.
func failure(t *testing.T, run interface {
	Get(ctx context.Context, into any) error
},
) (domain.FailureKind, contract.FailureDetails) {
	t.Helper()
	err := run.Get(t.Context(), nil)
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	var details contract.FailureDetails
	if err := application.Details(&details); err != nil {
		require.ErrorIs(t, err, temporal.ErrNoData)
	}
	return domain.FailureKind(application.Type()), details
}

func last(list []string) string { return list[len(list)-1] }
