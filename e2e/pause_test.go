//go:build integration

package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
)

// TestAnActivityThatSomebodyPausesGoesOn pauses each of the two activities that wait. Pausing ends the attempt, and
// the next one must find how the turn ended meanwhile.
func TestAnActivityThatSomebodyPausesGoesOn(t *testing.T) {
	for activity, begin := range map[string]func(*testing.T, *holdingRay){
		"SubmitTurns": func(t *testing.T, ray *holdingRay) {
			t.Helper()
			stack.Eventually(t, "the submit waits for room", func(c *assert.CollectT) { require.Positive(c, ray.refused.Load()) })
		},
		"AwaitTurn": func(t *testing.T, ray *holdingRay) {
			t.Helper()
			ray.awaitPolls(t, 1)
		},
	} {
		t.Run(activity, func(t *testing.T) {
			t.Parallel()
			ray, queue := startHoldingRay(t), stack.Queue(t)
			ray.full.Store(activity == "SubmitTurns")
			stack.StartWorker(t, queue, "NATS_URL=", "DELIBERATION_RAY_CLUSTERS=local="+ray.url)
			run := stack.Begin(t, queue, stack.Request(t, stack.Agents("held")))
			begin(t, ray)

			var id string
			stack.Eventually(t, "the activity is pending", func(c *assert.CollectT) { id = pending(c, run, activity).GetActivityId() })
			temporalCommand(t, "activity", "pause", "--activity-id", id, "--workflow-id", run.GetID())
			stack.Eventually(t, "the attempt has ended", func(c *assert.CollectT) {
				require.Equal(c, enumspb.PENDING_ACTIVITY_STATE_PAUSED, pending(c, run, activity).GetState())
			})
			require.Equal(t, "Paused", pending(t, run, activity).GetLastFailure().GetApplicationFailureInfo().GetType())
			ray.full.Store(false)
			close(ray.released)
			temporalCommand(t, "activity", "unpause", "--activity-id", id, "--workflow-id", run.GetID())

			result := stack.Result(t, run)
			require.Equal(t, 1, result.CompletedAgents)
			require.Equal(t, 1, result.Results[0].Attempts)
			ray.requireOneSubmitEach(t, 1)
		})
	}
}

func temporalCommand(t *testing.T, args ...string) {
	t.Helper()
	ran := stack.TemporalCLI(t, args...)
	require.Zero(t, ran.Code, ran.Stderr)
}

// pending returns the only pending activity of a type.
func pending(t require.TestingT, run client.WorkflowRun, activity string) *workflowpb.PendingActivityInfo {
	described, err := stack.Temporal.DescribeWorkflowExecution(context.Background(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	at := slices.IndexFunc(described.GetPendingActivities(), func(each *workflowpb.PendingActivityInfo) bool {
		return each.GetActivityType().GetName() == activity
	})
	require.GreaterOrEqual(t, at, 0)
	return described.GetPendingActivities()[at]
}
