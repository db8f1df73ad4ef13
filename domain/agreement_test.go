package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// preferring plays a council in which each reviewer puts one author first. The others keep the order of the request.
func preferring(t *testing.T, agents int, first map[string]string, block string) *session {
	t.Helper()
	return play(reviewed(t, agents, 1), func(s *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind != domain.PeerReview {
			return completed("a text", 0.5, 1)
		}
		outcome := reviewBy(a.Reads, func(id domain.TurnID) int {
			if s.authors[id] == first[a.Agent.ID()] {
				return 5
			}
			return 4 - int(s.authors[id][len("agent-")]-'0')/2
		})
		for i := range outcome.Review.Notes {
			if s.authors[outcome.Review.Notes[i].Of] == block {
				outcome.Review.Notes[i].Blocking = []string{"it loses data"}
			}
		}
		return outcome
	})
}

func TestAgreementIsTwoThirdsOfTheRankingsThatCouldNameTheWinner(t *testing.T) {
	for name, test := range map[string]struct {
		agents int
		first  map[string]string
		block  string
		stop   domain.StopReason
	}{
		"two of three": {4, map[string]string{
			"agent-1": "agent-2", "agent-2": "agent-1", "agent-3": "agent-1", "agent-4": "agent-2",
		}, "", domain.StopAgreement},
		"one of two": {3, map[string]string{"agent-1": "agent-2", "agent-2": "agent-3", "agent-3": "agent-1"}, "", domain.StopRounds},
		"two of two": {3, map[string]string{"agent-1": "agent-2", "agent-2": "agent-1", "agent-3": "agent-1"}, "", domain.StopAgreement},
		"two of two, and the winner is blocked": {
			3, map[string]string{"agent-1": "agent-2", "agent-2": "agent-1", "agent-3": "agent-1"}, "agent-1", domain.StopRounds,
		},
		"two of two, and another one is blocked": {
			3, map[string]string{"agent-1": "agent-2", "agent-2": "agent-1", "agent-3": "agent-1"}, "agent-2", domain.StopAgreement,
		},
		"two agents rank nobody": {2, map[string]string{"agent-1": "agent-2", "agent-2": "agent-1"}, "", domain.StopRounds},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.stop, preferring(t, test.agents, test.first, test.block).stop)
		})
	}
}

// judgedBy is the result of agents that judge given proposals. Each ranks them by its marks.
func judgedBy(t *testing.T, spec domain.RequestSpec, marks map[string]map[string]int) domain.CouncilResult {
	t.Helper()
	council := domain.NewCouncil(requestOf(t, spec), domain.RunKey{WorkflowID: "w"})
	next := council.Plan().Next
	council = council.Assign(next)
	for _, a := range next {
		texts := council.Texts([]domain.Assignment{a}).Proposals
		outcome := reviewBy(a.Reads, func(id domain.TurnID) int { return marks[a.Agent.ID()][texts[id].Proposal] })
		council = take(council, council.Turn(a), outcome)
	}
	return council.Rank()
}

func TestTheOrderIsTheMeanPlaceInTheRankingsThatAProposalIsIn(t *testing.T) {
	spec := judging(2, 3)
	spec.Given[1].Author = "agent-1" // so its ranking has two proposals only
	ranked := judgedBy(t, spec, map[string]map[string]int{
		"agent-1": {"text 3": 3, "text 1": 2},
		"agent-2": {"text 1": 5, "text 2": 4, "text 3": 1},
	})
	for _, result := range ranked.Results() {
		judgement, _ := result.Judgement()
		require.InDelta(t, 0.5, judgement.Points, 1e-9, "first of two and last of three, second of three, last of two and first of three")
	}
	var texts []string
	for _, result := range ranked.Results() {
		texts = append(texts, result.Proposal())
	}
	require.Equal(t, []string{"text 2", "text 1", "text 3"}, texts, "equal points are ordered by score: 3/4, 5/8, 1/4")
}

func TestEqualPointsAndScoresAreOrderedByAStableHash(t *testing.T) {
	even := map[string]map[string]int{"agent-1": {"text 1": 4, "text 2": 3}, "agent-2": {"text 1": 3, "text 2": 4}}
	spec := judging(2, 2)
	first, _ := judgedBy(t, spec, even).Best()
	spec.Given[0], spec.Given[1] = spec.Given[1], spec.Given[0]
	again, _ := judgedBy(t, spec, even).Best()
	require.Equal(t, first.Proposal(), again.Proposal(), "the order of the request doesn't matter")
}

func TestARankingAgainstTheScoresIsExplained(t *testing.T) {
	ranked := judgedBy(t, func() domain.RequestSpec { return judging(3, 2) }(), map[string]map[string]int{
		"agent-1": {"text 1": 3, "text 2": 2}, "agent-2": {"text 1": 3, "text 2": 2}, "agent-3": {"text 1": 1, "text 2": 5},
	})
	best, _ := ranked.Best()
	require.Equal(t, "text 1", best.Proposal())
	require.Equal(t, "p1 is first by the reviewers' rankings (0.67 against 0.33), though its score is lower than that of p2 (0.33 against 0.50)", ranked.Note())

	agreeing := map[string]int{"text 1": 3, "text 2": 2}
	ranked = judgedBy(t, judging(2, 2), map[string]map[string]int{"agent-1": agreeing, "agent-2": agreeing})
	require.Empty(t, ranked.Note())
}

func TestAVoteExplainsARankingAgainstTheScoresToo(t *testing.T) {
	spec := reviewedSpec(3, domain.ReviewPeer, 0)
	spec.Protocol.Mode = domain.ModeVote
	marks := map[string]map[string]int{
		"agent-1": {"agent-2": 5, "agent-3": 1}, "agent-2": {"agent-1": 3, "agent-3": 1}, "agent-3": {"agent-1": 3, "agent-2": 2},
	}
	s := play(requestOf(t, spec), func(s *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind == domain.PeerReview {
			return reviewBy(a.Reads, func(id domain.TurnID) int { return marks[a.Agent.ID()][s.authors[id]] })
		}
		outcome := completed("it is 42", 0.5, 1)
		outcome.Answer = outcome.Answer.WithShort("42")
		return outcome
	})
	ranked := s.council.Rank()
	require.Equal(t, domain.RankedByVotes, ranked.Basis())
	best, _ := ranked.Best()
	require.Equal(t, "agent-1", best.Agent().ID())
	require.Contains(t, ranked.Note(), "agent-1 is first by the reviewers' rankings")
}

func TestAScoreIsTheWeightedMeanAndAtMostItsAccuracy(t *testing.T) {
	for name, test := range map[string]struct {
		rubric map[string]float64
		marks  map[string]int
		score  float64
	}{
		"weights":                    {map[string]float64{"cost": 1, "speed": 3}, map[string]int{"cost": 5, "speed": 2}, (1 + 3*0.25) / 4},
		"accuracy bounds":            {map[string]float64{"accuracy": 1, "cost": 1}, map[string]int{"accuracy": 3, "cost": 5}, 0.5},
		"a high accuracy adds none":  {map[string]float64{"accuracy": 1, "cost": 1}, map[string]int{"accuracy": 5, "cost": 2}, 0.625},
		"the lowest mark is nothing": {map[string]float64{"cost": 1}, map[string]int{"cost": 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			spec := reviewedSpec(2, domain.ReviewJudge, 0)
			spec.Protocol.Rubric = test.rubric
			s := play(requestOf(t, spec), func(_ *session, a domain.Assignment) domain.Outcome {
				outcome := completed("p", 1, 1)
				if a.Phase.Kind == domain.PeerReview {
					outcome = reviewBy(a.Reads, func(domain.TurnID) int { return 1 })
					for i := range outcome.Review.Notes {
						outcome.Review.Notes[i].Marks = test.marks
					}
				}
				return outcome
			})
			best, _ := s.council.Rank().Best()
			require.InDelta(t, test.score, best.Score(), 1e-9)
		})
	}
}
