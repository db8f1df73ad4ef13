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
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestThreeAgentsCompleteAndAreRanked(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	low, high, middle := modelOf(t, "low"), modelOf(t, "high"), modelOf(t, "middle")
	script(t, low, answers("0.2"))
	script(t, high, answers("0.9"))
	script(t, middle, answers("0.5"))

	run := begin(t, queue, requestOf(t, agents(low, high, middle)))

	got := result(t, run)
	require.Equal(t, domain.StatusCompleted, got.Status)
	require.Equal(t, []float64{0.9, 0.5, 0.2}, []float64{got.Results[0].Score, got.Results[1].Score, got.Results[2].Score})
	require.Equal(t, "agent-2", got.BestResult.AgentID)
	require.False(t, got.Degraded)
	require.Equal(t, 3, got.Usage.LLMCalls)
	require.Equal(t, []string{"started", "agent_completed", "agent_completed", "agent_completed", "completed"}, kinds(events(t, run, 5)))
	require.Equal(t, 1, scheduled(t, run, workflows.SubmitTurns.Name()))
	require.Equal(t, 3, scheduled(t, run, workflows.AwaitTurn.Name()))
	eventually(t, "outcomes that are in history are forgotten on Ray", func(c *assert.CollectT) {
		require.Empty(c, turnsOnRay(c, run.GetID()))
	})
}

func TestAModelThatFailsTwiceIsAskedAgain(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	flaky := modelOf(t, "flaky")
	script(t, flaky, step{"status": 503}, step{"status": 500}, answers("0.7"))

	got := result(t, begin(t, queue, requestOf(t, agents(flaky))))

	require.Equal(t, 3, got.BestResult.Attempts)
	require.Len(t, calls(t, flaky), 3)
	require.Equal(t, 3, got.Usage.LLMCalls)
}

func TestOneAgentFailsForGoodWhileTheOthersWin(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	refused, good := modelOf(t, "refused"), modelOf(t, "good")
	script(t, refused, step{"status": 404, "error": "no such model"})
	script(t, good, answers("0.7"))

	run := begin(t, queue, requestOf(t, agents(refused, good, good)))

	got := result(t, run)
	require.True(t, got.Degraded)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, domain.ModelRejected, got.Failures[0].ErrorType)
	require.Len(t, calls(t, refused), 1, "what the model refuses isn't asked again")
	require.Contains(t, kinds(events(t, run, 5)), "agent_failed")
}

func TestAllAgentsFail(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	down := modelOf(t, "down")
	script(t, down, step{"status": 503})
	request := requestOf(t, agents(down, down))
	request.Constraints.MaxRetries = new(1)

	run := begin(t, queue, request)

	kind, details := failure(t, run)
	require.Equal(t, domain.DeliberationFailed, kind)
	require.Len(t, details.Failures, 2)
	require.Equal(t, domain.ModelUnavailable, details.Failures[0].ErrorType)
	require.Equal(t, 2, details.Failures[0].Attempts)
	require.Equal(t, "failed", last(kinds(events(t, run, 4))))
}

func TestDeadlineAlone(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "hangs")
	script(t, model, hangs())
	request := requestOf(t, agents(model))
	request.Constraints.TimeoutSeconds = new(10)

	run := begin(t, queue, request)

	kind, details := failure(t, run)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Equal(t, domain.StillRunning, details.Failures[0].ErrorType)
	deadline := timeOf(t, run, enumspb.EVENT_TYPE_TIMER_FIRED)
	late := timeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED).Sub(deadline)
	require.Less(t, late, 3*time.Second, "it ends within 3 s of its deadline while Ray answers")
	require.Len(t, calls(t, model), 1)
	running(t, model, 0)
}

func TestDeadlineWithTwoOfThreeComplete(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	endless, good := modelOf(t, "hangs"), modelOf(t, "good")
	script(t, endless, hangs())
	script(t, good, answers("0.6"))
	request := requestOf(t, agents(good, endless, good))
	request.Constraints.TimeoutSeconds = new(10)

	got := result(t, begin(t, queue, request))

	require.True(t, got.Degraded)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, contract.StoppedDeadline, got.StopReason)
	running(t, endless, 0)
}

func TestCancelLeavesNothingBehind(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "hangs")
	script(t, model, hangs())
	run := begin(t, queue, requestOf(t, agents(model, model, model)))
	running(t, model, 3)

	require.NoError(t, temporalClient.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))

	running(t, model, 0)
	cancelled := timeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
	for _, call := range calls(t, model) {
		require.WithinDuration(t, cancelled, call.EndedAt, 2*time.Second, "nothing runs at the model 2 s after the cancel")
	}
	require.True(t, temporal.IsCanceledError(run.Get(t.Context(), nil)))
	for _, turn := range turnsOnRay(t, run.GetID()) {
		require.NotContains(t, []string{"queued", "running"}, turn.State)
	}
	require.Equal(t, []string{"started", "cancelled"}, kinds(events(t, run, 2)))
	require.Len(t, calls(t, model), 3)
}

// failure is how a run failed.
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
