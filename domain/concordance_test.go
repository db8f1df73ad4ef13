package domain_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// ranksOf are marks that rank texts in this order.
func ranksOf(order string) map[string]int {
	marks := map[string]int{}
	for place, text := range order {
		marks["text "+string(text)] = 5 - place
	}
	return marks
}

func TestKendallsWOfWholeRankings(t *testing.T) {
	for name, test := range map[string]struct {
		orders [3]string
		w      float64
	}{
		"all alike": {[3]string{"1234", "1234", "1234"}, 1},
		// The sums of places are 4, 5, 10 and 11: W = 12 · 37 / (3² · (4³ − 4)).
		"nearly alike":                   {[3]string{"1234", "1243", "2134"}, 12 * 37.0 / (9 * 60)},
		"three of four turn in a circle": {[3]string{"1234", "2314", "3124"}, 12 * 27.0 / (9 * 60)},
	} {
		t.Run(name, func(t *testing.T) {
			marks := map[string]map[string]int{}
			for i, order := range test.orders {
				marks[fmt.Sprintf("agent-%d", i+1)] = ranksOf(order)
			}
			w := judgedBy(t, judging(3, 4), marks).Concordance()
			require.NotNil(t, w)
			require.InDelta(t, test.w, *w, 1e-9)
		})
	}
}

func TestKendallsWOfRankingsWithoutOnesOwn(t *testing.T) {
	circle := map[string]string{"agent-1": "agent-2", "agent-2": "agent-3", "agent-3": "agent-1"}
	w := preferring(t, 3, circle, "").council.Rank().Concordance()
	require.NotNil(t, w)
	require.InDelta(t, 0, *w, 1e-9, "everybody is first once and last once")

	inOrder := skilled(func(agent string) int { return 10 - int(agent[len("agent-")]-'0') })
	for agents := 3; agents <= 7; agents++ { // with seven, each reads three, and each pair is compared once
		w := play(reviewed(t, agents, 0), inOrder).council.Rank().Concordance()
		require.NotNil(t, w, agents)
		require.InDelta(t, 1, *w, 1e-9, agents)
	}
}

func TestKendallsWIsNotDefinedEverywhere(t *testing.T) {
	alike := skilled(func(agent string) int { return int(agent[len("agent-")] - '0') })
	require.Nil(t, play(reviewed(t, 2, 0), alike).council.Rank().Concordance(), "two proposals")
	require.Nil(t, play(reviewed(t, 8, 0), alike).council.Rank().Concordance(), "not every pair of eight is compared")
	require.Nil(t, play(requestOf(t, reviewedSpec(4, domain.ReviewJudge, 0)), alike).council.Rank().Concordance(), "a judge agrees only with itself")
	one := play(reviewed(t, 3, 0), func(s *session, a domain.Assignment) domain.Outcome {
		if a.Phase.Kind == domain.PeerReview && a.Agent.ID() == "agent-1" {
			return failed(domain.ModelRejected, false, 1)
		}
		return alike(s, a)
	})
	require.Nil(t, one.council.Rank().Concordance(), "a pair that only the failed reviewer would have compared")
}

// In a large council each peer reads three others: each author is read three times, once as the first, and no pair is
// compared twice.
func TestALargeCouncilIsBalanced(t *testing.T) {
	for agents := 7; agents <= 12; agents++ {
		s := play(reviewed(t, agents, 0), skilled(func(agent string) int { return len(agent) }))
		first, pairs := map[string]int{}, map[[2]string]int{}
		for _, review := range s.council.Reviews() {
			first[review.Order[0].AgentID]++
			for i, a := range review.Order {
				for _, b := range review.Order[i+1:] {
					pairs[[2]string{min(a.AgentID, b.AgentID), max(a.AgentID, b.AgentID)}]++
				}
			}
		}
		require.Len(t, first, agents)
		require.Len(t, pairs, 3*agents, "each pair once")
	}
}
