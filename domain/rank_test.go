package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestRankingByReviews(t *testing.T) {
	t.Run("two agents are ordered by score", func(t *testing.T) {
		s := play(reviewed(t, 2, 0), skilled(func(agent string) int { return map[string]int{"agent-1": 2, "agent-2": 5}[agent] }))
		require.Equal(t, []string{"agent-2", "agent-1"}, namesOf(s.council.Rank()))
		require.Equal(t, domain.StopRounds, s.stop)
		require.Nil(t, s.council.Rank().Concordance())
	})
	t.Run("accuracy bounds a score", func(t *testing.T) {
		s := play(reviewed(t, 2, 0), func(_ *session, a domain.Assignment) domain.Outcome {
			if a.Phase.Kind != domain.PeerReview {
				return completed("p", 1, 1)
			}
			outcome := reviewBy(a.Reads, func(domain.TurnID) int { return 5 })
			outcome.Review.Notes[0].Marks["accuracy"] = 2
			return outcome
		})
		best, _ := s.council.Rank().Best()
		require.InDelta(t, 0.25, best.Score(), 1e-9)
	})
	t.Run("what nobody reviewed ranks last", func(t *testing.T) {
		s := play(reviewed(t, 3, 0), func(_ *session, a domain.Assignment) domain.Outcome {
			if a.Phase.Kind != domain.PeerReview {
				return completed("p", 1, 1)
			}
			if a.Agent.ID() != "agent-1" {
				return failed(domain.ModelRejected, false, 1)
			}
			return reviewBy(a.Reads, func(domain.TurnID) int { return 1 })
		})
		results := s.council.Rank().Results()
		require.Equal(t, "agent-1", results[2].Agent().ID(), "it reviewed the others alone")
		judgement, _ := results[2].Judgement()
		require.Zero(t, judgement.Reviews)
	})
}

func TestAProposalThatTheLastRoundDidNotReviewKeepsItsEarlierPlace(t *testing.T) {
	// The best proposal is agent-3's: the others rank it first in round 1. Only agent-3 reviews in round 2, so its
	// own proposal has no later review. Both others were revised meanwhile, and the new versions stand.
	s := play(reviewed(t, 3, 1), func(s *session, a domain.Assignment) domain.Outcome {
		switch {
		case a.Phase.Kind == domain.Revise && a.Agent.ID() == "agent-3":
			return failed(domain.ModelRejected, false, 1)
		case a.Phase.Kind == domain.PeerReview && a.Phase.Round == 2 && a.Agent.ID() != "agent-3":
			return failed(domain.ModelRejected, false, 1)
		case a.Phase.Kind == domain.PeerReview && a.Phase.Round == 1:
			outcome := reviewBy(a.Reads, func(id domain.TurnID) int { return markOf(s.texts[id]) })
			for i := range outcome.Review.Notes {
				outcome.Review.Notes[i].Blocking = []string{"it loses data"}
			}
			return outcome
		}
		return skilled(func(agent string) int { return map[string]int{"agent-1": 1, "agent-2": 2, "agent-3": 4}[agent] })(s, a)
	})
	results := s.council.Rank().Results()
	require.Equal(t, []string{"agent-3", "agent-2", "agent-1"}, namesOf(s.council.Rank()), "by points, then by score")
	for _, result := range results {
		if result.Agent().ID() != "agent-3" {
			require.Contains(t, result.Proposal(), map[string]string{"agent-1": "2", "agent-2": "3"}[result.Agent().ID()])
			continue
		}
		judgement, _ := result.Judgement()
		require.Equal(t, 2, judgement.Ranked, "both rankings of round 1 count")
		require.InDelta(t, 1, judgement.Points, 1e-9)
	}
}

func TestReviewsFailedIsSaidInEveryRound(t *testing.T) {
	s := play(reviewed(t, 3, 1), func(s *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind == domain.PeerReview && a.Phase.Round == 2 {
			return failed(domain.ModelRejected, false, 1)
		}
		outcome := skilled(func(agent string) int { return len(agent) })(s, a)
		for i := range outcome.Review.Notes { // so that the reviewers don't agree yet
			outcome.Review.Notes[i].Blocking = []string{"it loses data"}
		}
		return outcome
	})
	require.Equal(t, domain.StopReviewsFailed, s.stop)
	require.Equal(t, domain.RankedByPeers, s.council.Rank().Basis(), "the first round still ranks")
}

func TestPlacesAreThoseAfterEachRound(t *testing.T) {
	for name, test := range map[string]struct {
		revises string // whose revision is better than everything else
		fails   int    // the round whose reviews fail
		places  map[string][]int
	}{
		"the last one becomes the best": {"agent-1", 0, map[string][]int{"agent-1": {3, 1}, "agent-2": {1, 2}, "agent-3": {2, 3}}},
		"the best one gets better":      {"agent-2", 0, map[string][]int{"agent-1": {3, 3}, "agent-2": {1, 1}, "agent-3": {2, 2}}},
		"nobody reviews the revisions":  {"agent-1", 2, map[string][]int{"agent-1": {3, 3}, "agent-2": {1, 1}, "agent-3": {2, 2}}},
		"nobody reviews at all":         {"agent-1", 1, map[string][]int{"agent-1": {0}, "agent-2": {0}, "agent-3": {0}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(reviewed(t, 3, 1), func(s *session, a domain.Assignment) domain.Outcome {
				switch {
				case a.Phase == phase(domain.PeerReview, test.fails):
					return failed(domain.ModelRejected, false, 1)
				case a.Phase.Kind == domain.Revise && a.Agent.ID() == test.revises:
					return completed("6", 0.5, 1)
				case a.Phase.Kind == domain.Revise:
					return completed("0", 0.5, 1)
				}
				outcome := skilled(func(agent string) int { return map[string]int{"agent-1": 1, "agent-2": 4, "agent-3": 3}[agent] })(s, a)
				for i := range outcome.Review.Notes { // so that the reviewers don't agree yet
					outcome.Review.Notes[i].Blocking = []string{"it loses data"}
				}
				return outcome
			})
			require.Equal(t, test.places, s.council.Places())
		})
	}
}
