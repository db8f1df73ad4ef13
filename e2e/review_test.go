//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// reviewRequest asks a council of the stand-in model to review, and revise this many times at most.
func reviewRequest(t *testing.T, model string, agents, rounds int) contract.Request {
	t.Helper()
	models := make([]string, agents)
	for i := range models {
		models[i] = model
	}
	request := stack.Request(t, stack.Agents(models...))
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer, Rounds: &rounds}
	return request
}

// awaitPhase waits until turns of the phase are being waited for.
func awaitPhase(t *testing.T, run client.WorkflowRun, phase domain.PhaseKind) {
	t.Helper()
	stack.Eventually(t, "the phase "+string(phase), func(c *assert.CollectT) {
		status := stack.Status(c, run)
		assert.Equal(c, string(phase), status.Phase)
		assert.Contains(c, statesOf(status), domain.AgentSubmitted)
	})
}

func statesOf(status contract.Status) []domain.AgentState {
	var states []domain.AgentState
	for _, agent := range status.Agents {
		states = append(states, agent.State)
	}
	return states
}

func TestACouncilReviewsAndRanks(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "reviewed")

	run := stack.Begin(t, queue, reviewRequest(t, model, 3, 1))

	got := stack.Result(t, run)
	require.Equal(t, domain.RankedByPeers, got.RankingBasis)
	require.Zero(t, got.Review.Failed)
	require.Len(t, stack.Calls(t, model), got.Usage.LLMCalls)
	require.LessOrEqual(t, got.Usage.LLMCalls, 12)
	for _, review := range got.Reviews {
		require.Len(t, review.Notes, len(review.Order))
		require.NotContains(t, agentsOf(got, review.Order), review.ReviewerID, "nobody reviews itself")
	}
	events := stack.Events(t, run, 5)
	require.Contains(t, stack.Kinds(events), "reviewed")
	require.Equal(t, "completed", last(stack.Kinds(events)))
}

func agentsOf(result contract.Result, ids []string) []string {
	var agents []string
	for _, candidate := range result.Candidates {
		for _, id := range ids {
			if candidate.ID == id {
				agents = append(agents, candidate.AgentID)
			}
		}
	}
	return agents
}

// The history's size isn't bounded here: workflows/cost_test.go bounds a council of this kind without faults. Each turn
// that the runner loses adds some 15 events: its end, a delay, and another attempt.
func TestAWorkerAndARunnerDieWhileACouncilReviews(t *testing.T) {
	queue := stack.Queue(t)
	first := stack.StartWorker(t, queue)
	model := stack.Model(t, "killed")
	stack.Script(t, model, stack.Step{"delay_seconds": 5})
	request := reviewRequest(t, model, 5, 2)
	request.TaskDescription += " Block every proposal." // the stand-in model does, so that they are revised
	run := stack.Begin(t, queue, request)
	awaitPhase(t, run, domain.PeerReview)

	first.Kill(t)
	stack.StartWorker(t, queue)
	awaitPhase(t, run, domain.Revise)
	stack.AwaitOpenCalls(t, model, 5)
	killRunnerOf(t, run)

	got := stack.Result(t, run)
	require.Equal(t, domain.RankedByPeers, got.RankingBasis)
	require.Equal(t, 5, got.CompletedAgents)
	require.Zero(t, got.Review.Failed)
	completed := map[string]int{}
	for _, call := range stack.Calls(t, model) {
		if call.Outcome == "completed" {
			completed[call.RequestID]++
		}
	}
	for id, times := range completed {
		require.Equal(t, 1, times, "turn %s was paid twice", id)
	}
	require.Len(t, completed, got.Usage.LLMCalls)
}
