//go:build integration

package workflows_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// Temporal takes 4 MiB in one message. The result of a large council may be half of that, and each sender of stop_now
// gets one.
func TestStopNow_EachOfManySendersGetsALargeResult(t *testing.T) {
	t.Parallel()
	r := newRecording(t, "many_stop_now")
	request := withReview(timeout(fakes.Council(8), 600), 3)
	parsed, err := request.Parse()
	require.NoError(t, err)
	long := strings.Repeat("x", parsed.Domain.AnswerMaximum(domain.Propose)-8)
	for _, agent := range request.Agents {
		r.Ray.Agents[agent.AgentID] = fakes.Replies(fakes.Answer(long, 0.5))
	}
	r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		switch {
		case ref.Phase == domain.PeerReview && ref.Round == 4 && ref.AgentID == "agent-1":
			return fakes.Script{fakes.Never()}
		case ref.Phase == domain.Revise:
			return fakes.Replies(fakes.Answer(long, 0.5))
		}
		script := disagreeing(ref)
		for i := range script[0].Value.Review.Notes {
			script[0].Value.Review.Notes[i].Critique = long[:parsed.Domain.AnswerMaximum(domain.PeerReview)/len(ref.Reads)-50]
		}
		return script
	}
	run := r.start(contract.DeliberationName, request)
	r.eventually(r.awaiting(8 * 8))

	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			update, err := r.client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
				WorkflowID: run.GetID(), UpdateName: contract.UpdateStopNow, WaitForStage: client.WorkflowUpdateStageCompleted,
			})
			var answer contract.Result
			if err == nil {
				err = update.Get(t.Context(), &answer)
			}
			if err != nil || answer.StopReason != domain.StopStopped {
				t.Errorf("answered %q, error %v", answer.StopReason, err)
			}
		})
	}
	senders.Wait()

	var result contract.Result
	require.NoError(t, run.Get(t.Context(), &result))
	require.Greater(t, len(encode(t, result)), 1_700_000)
}
