package domain_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

// reviewed is a request whose council reviews its proposals in at most this many rounds of revision.
func reviewed(t require.TestingT, agents, rounds int) domain.DeliberationRequest {
	spec := specOf(agents)
	spec.Protocol.Review, spec.Protocol.Rounds = domain.ReviewPeer, rounds
	return requestOf(t, spec)
}

// session plays a council: every assignment is answered as the test says.
type session struct {
	council domain.Council
	phases  []domain.Phase
	turns   int
	stop    domain.StopReason
	texts   map[domain.TurnID]string // the proposal of each turn
	authors map[domain.TurnID]string // and who made it
}

// play answers every turn until the council plans no further phase.
func play(request domain.DeliberationRequest, answer func(s *session, a domain.Assignment) domain.Outcome) *session {
	return playAs("w", request, answer)
}

// playAs plays a council of a deliberation with this id, on which the orders of its reviews depend.
func playAs(id string, request domain.DeliberationRequest, answer func(s *session, a domain.Assignment) domain.Outcome) *session {
	s := &session{council: domain.NewCouncil(request, domain.RunKey{WorkflowID: id, OriginalRunID: "r"}), texts: map[domain.TurnID]string{}, authors: map[domain.TurnID]string{}}
	for {
		plan := s.council.Plan()
		if len(plan.Next) == 0 {
			s.stop = plan.Stop
			return s
		}
		s.council = s.council.Assign(plan.Next)
		s.phases = append(s.phases, plan.Next[0].Phase)
		for _, assignment := range plan.Next {
			s.turns++
			turn := s.council.Turn(assignment)
			outcome := answer(s, assignment)
			if outcome.Kind == domain.OutcomeCompleted {
				s.texts[turn.ID()], s.authors[turn.ID()] = outcome.Answer.Proposal(), assignment.Agent.ID()
			}
			s.council = take(s.council, turn, outcome)
		}
	}
}

// skilled makes proposals that state how good they are, so that reviewers see it. A revision is better by one.
func skilled(quality func(agent string) int) func(*session, domain.Assignment) domain.Outcome {
	return func(s *session, a domain.Assignment) domain.Outcome {
		switch a.Phase.Kind {
		case domain.PeerReview:
			return reviewBy(a.Reads, func(id domain.TurnID) int { return markOf(s.texts[id]) })
		case domain.Revise:
			return completed(fmt.Sprint(markOf(s.texts[a.Reads[0]])+1), 0.5, 10)
		case domain.Propose, domain.Synthesize:
		}
		return completed(fmt.Sprint(quality(a.Agent.ID())), 0.5, 10)
	}
}

func markOf(text string) int {
	mark := 0
	_, _ = fmt.Sscan(text, &mark)
	return mark
}

// reviewBy ranks proposals by a mark. Proposals with the same mark keep the order in which they are read.
func reviewBy(reads []domain.TurnID, mark func(domain.TurnID) int) domain.Outcome {
	ranking := slices.Clone(reads)
	slices.SortStableFunc(ranking, func(a, b domain.TurnID) int { return mark(b) - mark(a) })
	review := domain.Review{Ranking: ranking}
	for _, id := range reads {
		m := min(5, max(1, mark(id)))
		review.Notes = append(review.Notes, domain.Note{
			Of: id, Critique: "change this", Marks: map[string]int{"accuracy": m, "completeness": m, "clarity": m, "feasibility": m},
		})
	}
	return domain.Outcome{Kind: domain.OutcomeCompleted, Review: review, Usage: domain.Usage{CompletionTokens: 5, Calls: 1}}
}

func phase(kind domain.PhaseKind, round int) domain.Phase {
	return domain.Phase{Kind: kind, Round: round}
}

func TestACouncilStopsEarlyWhenItsReviewersAgree(t *testing.T) {
	s := play(reviewed(t, 4, 1), skilled(func(agent string) int {
		return map[string]int{"agent-1": 2, "agent-2": 4, "agent-3": 3, "agent-4": 1}[agent]
	}))

	require.Equal(t, []domain.Phase{phase(domain.Propose, 0), phase(domain.PeerReview, 1)}, s.phases)
	require.Equal(t, domain.StopAgreement, s.stop)
	require.Equal(t, 8, s.turns)
	ranked := s.council.Rank()
	require.Equal(t, domain.RankedByPeers, ranked.Basis())
	require.Equal(t, []string{"agent-2", "agent-3", "agent-1", "agent-4"}, namesOf(ranked))
	best, _ := ranked.Best()
	judgement, judged := best.Judgement()
	require.True(t, judged)
	require.InDelta(t, 1, judgement.Points, 1e-9)
	require.Equal(t, 3, judgement.Reviews)
	require.InDelta(t, 0.75, best.Score(), 1e-9, "(4-1)/4")
	require.InDelta(t, 0.5, best.OwnScore(), 1e-9)
	require.NotNil(t, ranked.Concordance())
	require.InDelta(t, 1, *ranked.Concordance(), 1e-9)
}

func namesOf(ranked domain.CouncilResult) []string {
	var names []string
	for _, result := range ranked.Results() {
		names = append(names, result.Agent().ID())
	}
	return names
}

func TestABlockingIssueIsNoAgreement(t *testing.T) {
	quality := skilled(func(agent string) int { return map[string]int{"agent-1": 1, "agent-2": 4, "agent-3": 2}[agent] })
	s := play(reviewed(t, 3, 1), func(s *session, a domain.Assignment) domain.Outcome {
		outcome := quality(s, a)
		for i := range outcome.Review.Notes {
			outcome.Review.Notes[i].Blocking = []string{"it loses data"}
		}
		return outcome
	})
	require.Equal(t, []domain.Phase{
		phase(domain.Propose, 0), phase(domain.PeerReview, 1), phase(domain.Revise, 1), phase(domain.PeerReview, 2),
	}, s.phases)
	require.Equal(t, domain.StopRounds, s.stop)
	require.Equal(t, 12, s.turns, "2N + 2N a round")
	for _, revision := range s.council.Revisions() {
		require.Equal(t, domain.RevisionReplaced, revision.Fate)
	}
	best, _ := s.council.Rank().Best()
	require.Equal(t, "5", best.Proposal())
}

func TestARevisionThatIsNotBetterDoesNotStand(t *testing.T) {
	s := play(reviewed(t, 3, 1), func(s *session, a domain.Assignment) domain.Outcome {
		switch a.Phase.Kind {
		case domain.Revise:
			return completed("0", 1, 1)
		case domain.PeerReview:
			if a.Phase.Round == 1 {
				outcome := reviewBy(a.Reads, func(domain.TurnID) int { return 3 })
				for i := range outcome.Review.Notes { // so that the agents don't agree yet
					outcome.Review.Notes[i].Blocking = []string{"it loses data"}
				}
				return outcome
			}
			return reviewBy(a.Reads, func(id domain.TurnID) int { return markOf(s.texts[id]) })
		case domain.Propose, domain.Synthesize:
		}
		return completed("3", 0.5, 1)
	})
	require.Len(t, s.council.Revisions(), 3)
	for _, revision := range s.council.Revisions() {
		require.Equal(t, domain.RevisionKept, revision.Fate)
		require.Equal(t, "3", revision.Before.Proposal)
		require.Equal(t, "0", revision.After.Proposal)
	}
	for _, result := range s.council.Rank().Results() {
		require.Equal(t, "3", result.Proposal())
	}
}

func TestWithoutAUsableReviewTheAgentsOwnScoresRank(t *testing.T) {
	s := play(reviewed(t, 3, 1), func(_ *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind == domain.PeerReview {
			return failed(domain.ModelRejected, false, 1)
		}
		return completed("p", map[string]float64{"agent-2": 0.9}[a.Agent.ID()], 1)
	})
	require.Equal(t, domain.StopReviewsFailed, s.stop)
	ranked := s.council.Rank()
	require.Equal(t, domain.RankedBySelf, ranked.Basis())
	best, _ := ranked.Best()
	require.Equal(t, "agent-2", best.Agent().ID())
	require.Empty(t, ranked.Failures(), "a failed reviewer keeps its proposal")
}

func TestAReviewIsAskedForOnceMoreWhenItCannotBeRead(t *testing.T) {
	council := domain.NewCouncil(reviewed(t, 2, 0), domain.RunKey{})
	proposals := council.Plan().Next
	council = council.Assign(proposals)
	for _, a := range proposals {
		council = take(council, council.Turn(a), completed("p", 0.5, 1))
	}
	reviews := council.Plan().Next
	council = council.Assign(reviews)
	turn := council.Turn(reviews[0])
	unreadable := domain.Outcome{Kind: domain.OutcomeFailed, Failure: domain.NewTurnFailure(domain.InvalidOutput, "one is missing", true)}

	council, decision := council.Take(turn, unreadable)
	require.Equal(t, domain.DecisionAgain, decision.Kind)
	require.Equal(t, domain.Hint{Kind: domain.InvalidOutput, Detail: "one is missing"}, decision.Next.Hint(), "the fault is named")
	_, decision = council.Take(decision.Next, unreadable)
	require.Equal(t, domain.DecisionGivenUp, decision.Kind)
}

func TestNobodyReviewsItselfAndEachIsReviewedEquallyOften(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.IntRange(2, 20).Draw(t, "agents")
		s := play(reviewed(t, agents, 1), skilled(func(agent string) int { return len(agent) % 3 }))
		seen := map[int]map[string]int{}
		orders := map[string]bool{}
		for _, review := range s.council.Reviews() {
			if seen[review.Round] == nil {
				seen[review.Round] = map[string]int{}
			}
			authors := map[string]bool{}
			for _, candidate := range review.Order {
				require.NotEqual(t, review.Reviewer.ID(), candidate.AgentID)
				authors[candidate.AgentID] = true
			}
			for author := range authors {
				seen[review.Round][author]++
			}
			if review.Round == 1 && agents <= 6 {
				require.Len(t, authors, agents-1)
			} else if review.Round == 1 {
				require.Len(t, authors, 3)
			}
			orders[fmt.Sprint(review.Order)] = true
		}
		for author, times := range seen[1] {
			want := agents - 1
			if agents > 6 {
				want = 3
			}
			require.Equal(t, want, times, author)
		}
		require.LessOrEqual(t, s.turns, 2*agents+2*agents)
	})
}

func TestPlansAreTheSameInEachReplay(t *testing.T) {
	quality := skilled(func(agent string) int { return len(agent) })
	once, again := play(reviewed(t, 5, 2), quality), play(reviewed(t, 5, 2), quality)
	require.Equal(t, once.council, again.council)
}
