package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// withGiven is a request whose council judges two proposals of others and one of its first agent.
func withGiven(request contract.Request) contract.Request {
	request = withReview(request, 1)
	request.Proposals = []contract.Proposal{
		{ID: "plan-a", Text: "the first text"}, {ID: "plan-b", Text: "the second text", Author: "agent-1"}, {ID: "plan-c", Text: "the third text", Author: "Ada"},
	}
	return request
}

func TestGiven_TheCouncilJudgesAndMakesNoProposals(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Fence = "secret"
	s.Ray.PhaseScript = disagreeing

	result, err := s.runAndExpectNothingLeft(withGiven(fakes.Council(2)))

	require.NoError(t, err)
	require.Equal(t, []domain.Phase{
		{Kind: domain.PeerReview, Round: 1}, {Kind: domain.Revise, Round: 1}, {Kind: domain.PeerReview, Round: 2},
	}, phasesOf(s.Ray.Submitted))
	require.Equal(t, domain.RankedByPeers, result.RankingBasis)
	require.Equal(t, 3, result.TotalAgents)
	require.False(t, result.Degraded)
	require.Equal(t, 5, result.Usage.LLMCalls)
	require.NotContains(t, result.Usage.ByPhase, domain.Propose)
	require.Len(t, result.Revisions, 1)
	require.Equal(t, "agent-1", result.Revisions[0].AgentID)
	for _, proposal := range result.Results {
		switch proposal.ProposalID {
		case "plan-c":
			require.Equal(t, "Ada", proposal.Author)
			require.Equal(t, "plan-c", proposal.AgentID)
		case "plan-b", "":
			require.Equal(t, "agent-1", proposal.AgentID)
		}
		require.Equal(t, proposal.ProposalID == "", proposal.OwnScore != nil)
	}
	require.Equal(t, 1, strings.Count(encode(t, s.Ray.Submitted[0]), "the second text"), "each text travels once")
	require.NotContains(t, s.NATS.Kinds(), domain.EventAgentCompleted)
	require.NotContains(t, s.NATS.Kinds(), domain.EventStreamStart)
}

func TestGiven_WithoutRoomOnRayThereIsNoResult(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Value: contract.SubmitTurnsResult{Refusal: "full"}}}

	_, err := s.runAndExpectNothingLeft(withGiven(fakes.Council(2)))

	kind, message, details := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Contains(t, message, "without room on Ray")
	require.Equal(t, "queued", details.Phase)
}

func TestGiven_AChairMayWriteFromThem(t *testing.T) {
	s := newStage(t)
	request := withGiven(fakes.Council(2))
	request.Protocol.Mode = domain.ModeSynthesize

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, "the final answer", result.Synthesis.Text.Text)
	require.Len(t, s.Ray.Submitted[len(s.Ray.Submitted)-1].Brief.Proposals, 3)
}
