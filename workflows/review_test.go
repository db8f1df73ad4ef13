package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// withReview is a request whose council reviews its proposals.
func withReview(request contract.Request, rounds int) contract.Request {
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer, Rounds: &rounds}
	return request
}

// disagreeing are reviews that find something to block everywhere, so that proposals are revised.
func disagreeing(ref contract.TurnRef) fakes.Script {
	script := fakes.LaterPhases(ref)
	if ref.Phase == domain.PeerReview {
		for i := range script[0].Value.Review.Notes {
			script[0].Value.Review.Notes[i].Blocking = []string{"it loses data"}
		}
	}
	return script
}

func phasesOf(submitted []contract.SubmitTurnsInput) []domain.Phase {
	var phases []domain.Phase
	for _, in := range submitted {
		phases = append(phases, in.Phase())
	}
	return phases
}

func TestReview_ProposesReviewsRevisesAndReviewsAgain(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = disagreeing

	result, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 1))

	require.NoError(t, err)
	require.Equal(t, []domain.Phase{
		{Kind: domain.Propose}, {Kind: domain.PeerReview, Round: 1}, {Kind: domain.Revise, Round: 1}, {Kind: domain.PeerReview, Round: 2},
	}, phasesOf(s.Ray.Submitted))
	require.Equal(t, domain.RankedByPeers, result.RankingBasis)
	require.Equal(t, domain.StopRounds, result.StopReason)
	require.False(t, result.Degraded)
	require.Len(t, result.Results, 3)
	require.Len(t, result.Reviews, 6)
	require.Len(t, result.Revisions, 3)
	require.Equal(t, 12, result.Usage.LLMCalls)
	require.Equal(t, 6, result.Usage.ByPhase[domain.PeerReview].LLMCalls)
	require.Equal(t, contract.ReviewSummary{Rounds: 2, Reviews: 6, KendallW: result.Review.KendallW}, *result.Review)
	require.NotNil(t, result.Results[0].OwnScore)
	require.Equal(t, []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventStreamStart, domain.EventPhaseStarted,
		domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventAgentCompleted,
		domain.EventPhaseStarted, domain.EventReviewed, domain.EventReviewed, domain.EventReviewed,
		domain.EventPhaseStarted, domain.EventRevised, domain.EventRevised, domain.EventRevised,
		domain.EventPhaseStarted, domain.EventReviewed, domain.EventReviewed, domain.EventReviewed, domain.EventCompleted,
	}, s.NATS.Kinds())
	require.Equal(t, "done", s.status().Phase)
}

func TestReview_TextsTravelOncePerPhase(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Fence = "secret"
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		if ref.Phase == domain.PeerReview && ref.AgentID == "agent-1" && ref.Round == 1 {
			script := disagreeing(ref)
			return append(fakes.Replies(fakes.Failure(domain.ModelUnavailable, true)), script...)
		}
		return disagreeing(ref)
	}
	for _, agent := range fakes.Council(3).Agents {
		s.Ray.Agents[agent.AgentID] = fakes.Replies(fakes.Answer("the proposal of "+agent.AgentID, 0.5))
	}

	_, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 1))

	require.NoError(t, err)
	review, again := s.Ray.Submitted[1], s.Ray.Submitted[2]
	require.Equal(t, 1, strings.Count(encode(t, review.Brief), "the proposal of agent-2"))
	require.Equal(t, domain.Phase{Kind: domain.PeerReview, Round: 1}.Fence("secret"), review.Brief.Fence)
	require.Nil(t, again.Brief, "a retry finds the brief in history")
	require.Equal(t, domain.PeerReview, again.Turns[0].Phase)
	require.Equal(t, review.Turns[0].Reads, again.Turns[0].Reads, "what comes later doesn't change what they read")
	revise := s.Ray.Submitted[3]
	require.Equal(t, domain.Revise, revise.Turns[0].Phase)
	require.Len(t, revise.Brief.Critiques, 6, "two of each proposal")
	require.Equal(t, 1, strings.Count(encode(t, revise), "the proposal of agent-2"))
}

func TestReview_AgreementSavesTheRevision(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		return fakes.Replies(fakes.Review(slices.Sorted(slices.Values(ref.Reads))...))
	}

	result, err := s.runAndExpectNothingLeft(withReview(fakes.Council(4), 2))

	require.NoError(t, err)
	require.Equal(t, domain.StopAgreement, result.StopReason)
	require.Equal(t, 8, result.Usage.LLMCalls)
	require.Empty(t, result.Revisions)
}

func TestReview_AJudgeReviewsAllAtAServerOfItsOwn(t *testing.T) {
	s := newStage(t)
	rounds := 0
	request := fakes.Council(3)
	request.Protocol = &contract.Protocol{
		Review: domain.ReviewJudge, Rounds: &rounds, JudgeModel: "large", JudgeURL: "http://judge:8000", Rubric: map[string]float64{"accuracy": 2},
	}
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		said := fakes.Review(ref.Reads...)
		for i := range said.Value.Review.Notes {
			said.Value.Review.Notes[i].Marks = map[string]int{"accuracy": 3}
		}
		return fakes.Replies(said)
	}

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, domain.RankedByJudge, result.RankingBasis)
	require.Len(t, result.Reviews, 1)
	require.Equal(t, "judge", result.Reviews[0].ReviewerID)
	require.Len(t, result.Reviews[0].Order, 3)
	require.InDelta(t, 0.5, result.Results[0].Score, 1e-9)
	require.Equal(t, []string{"accuracy"}, s.Ray.Awaited[3].Reading.Criteria)
}

func TestReview_AFailedReviewerLowersTheNumberOfReviews(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		if ref.AgentID == "agent-1" {
			return fakes.Replies(fakes.Failure(domain.ModelRejected, false))
		}
		return fakes.LaterPhases(ref)
	}

	result, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 0))

	require.NoError(t, err)
	require.Equal(t, 2, result.Review.Reviews)
	require.Equal(t, 1, result.Review.Failed)
	require.Empty(t, result.Failures, "it has its proposal")
	require.Equal(t, 3, result.CompletedAgents)
}

func TestReview_AllReviewersFail(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Replies(fakes.Failure(domain.ModelRejected, false)) }

	result, err := s.runAndExpectNothingLeft(withReview(fakes.Council(3), 1))

	require.NoError(t, err)
	require.Equal(t, domain.StopReviewsFailed, result.StopReason)
	require.Equal(t, domain.RankedBySelf, result.RankingBasis)
	require.True(t, result.Degraded)
}

func TestReview_OneSlowModelDoesNotHoldUpAll(t *testing.T) {
	s := newStage(t)
	late := fakes.Answer("late, but paid", 0.9).Value
	s.Ray.Agents["agent-3"] = fakes.Script{{Reply: fakes.Never().Reply, AtStop: &late}}
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		if ref.AgentID == "agent-2" {
			return fakes.Script{fakes.Never()}
		}
		return fakes.LaterPhases(ref)
	}
	begin := s.env.Now()

	result, err := s.runAndExpectNothingLeft(withReview(timeout(fakes.Council(3), 80), 0))

	require.NoError(t, err)
	require.Equal(t, 3, result.CompletedAgents, "what was paid is taken")
	require.Equal(t, 2, result.Review.Reviews)
	require.Equal(t, 1, result.Review.Failed)
	require.Less(t, s.env.Now().Sub(begin), 65*time.Second, "half of what remains in each phase: 40 s, then 20 s")
	require.Equal(t, []string{"patience", "patience"}, []string{s.Ray.Stopped[0].Reason, s.Ray.Stopped[1].Reason})
	require.Equal(t, domain.StopRounds, result.StopReason)
}

func TestReview_TheDeadlineCountsTheReviewsThatCame(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		if ref.AgentID == "agent-1" {
			return fakes.LaterPhases(ref)
		}
		return fakes.Script{fakes.Never()}
	}
	request := withReview(timeout(fakes.Council(3), 60), 1)
	patience := 60
	request.Protocol.Patience = &patience

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, domain.StopDeadline, result.StopReason)
	require.Equal(t, domain.RankedByPeers, result.RankingBasis)
	require.Equal(t, "agent-1", result.Results[2].AgentID, "nobody reviewed it")
	require.Zero(t, result.Results[2].Judged.Reviews)
}

func TestReview_TheDeadlineWithoutAnyReviewLeavesADegradedResult(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = func(contract.TurnRef) fakes.Script { return fakes.Script{fakes.Never()} }
	request := withReview(timeout(fakes.Council(3), 60), 1)
	patience := 60
	request.Protocol.Patience = &patience

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, domain.StopDeadline, result.StopReason)
	require.Equal(t, domain.RankedBySelf, result.RankingBasis)
	require.True(t, result.Degraded)
	require.Equal(t, 3, result.Review.Failed)
}

func TestReview_NoPhaseOutlivesTheDeadline(t *testing.T) {
	patience := 30
	for name, given := range map[string]func(*stage){
		"while it waits for room": func(s *stage) {
			s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}, {Delay: fakes.Forever}}
		},
		"while the slow turns of the last phase are stopped": func(s *stage) {
			s.Ray.Agents["agent-3"] = fakes.Script{fakes.Never()}
			s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{{Delay: 40 * time.Second}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			given(s)
			request := withReview(timeout(fakes.Council(3), 60), 1)
			request.Protocol.Patience = &patience
			begin := s.env.Now()

			result, err := s.run(request)

			require.NoError(t, err)
			require.Equal(t, domain.StopDeadline, result.StopReason)
			require.Less(t, s.env.Now().Sub(begin), 75*time.Second)
			require.LessOrEqual(t, len(s.Ray.Submitted), 2)
		})
	}
}

func TestReview_EndsOnceWhateverItsTurnsResultIn(t *testing.T) {
	results := rapid.SampledFrom([]fakes.Reply[contract.TurnOutcome]{
		fakes.Failure(domain.ModelUnavailable, true), fakes.Failure(domain.ModelRejected, false), fakes.Failure(domain.InvalidOutput, true),
		fakes.Lost(),
		{Delay: fakes.Forever},
	})
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t)
		s.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
			script := disagreeing(ref)
			if rapid.Bool().Draw(r, "goes wrong") {
				return append(fakes.Replies(results.Draw(r, "result")), script...)
			}
			return script
		}
		agents := rapid.IntRange(2, 8).Draw(r, "agents")
		begin := s.env.Now()

		result, err := s.runAndExpectNothingLeft(withReview(timeout(fakes.Council(agents), 60), rapid.IntRange(0, 3).Draw(r, "rounds")))

		require.NoError(t, err)
		require.Len(t, result.Results, agents)
		require.LessOrEqual(t, s.env.Now().Sub(begin), 63*time.Second)
		kinds := s.NATS.Kinds()
		require.Equal(t, domain.EventCompleted, kinds[len(kinds)-1])
	})
}
