package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestACouncilWithoutProposalsHasNoBestAndAverageZero(t *testing.T) {
	council, _ := councilOf(t, 2)
	result := council.Rank()
	_, has := result.Best()
	require.False(t, has)
	require.Zero(t, result.AverageScore())
	require.True(t, result.Degraded())
	require.False(t, domain.CouncilResult{}.Degraded(), "in an empty council nobody is missing")
}

func TestBestAndAverageAreOverTheCompleted(t *testing.T) {
	council, turns := councilOf(t, 3)
	council = take(council, turns[0], completed("p", 0.25, 0))
	council = take(council, turns[1], completed("p", 0.75, 0))
	council = take(council, turns[2], domain.GivenUp(late))
	result := council.Rank()
	best, has := result.Best()
	require.True(t, has)
	require.Equal(t, "agent-2", best.Agent().ID())
	require.InDelta(t, 0.5, result.AverageScore(), 0)
	require.True(t, result.Degraded())
}

func TestCouncilResultIsImmutable(t *testing.T) {
	council, turns := councilOf(t, 2)
	council = take(council, turns[0], completed("p", 1, 0))
	council = take(council, turns[1], domain.GivenUp(late))
	result := council.Rank()
	proposal, failure := result.Results()[0], result.Failures()[0]

	result.Results()[0] = domain.DeliberationResult{}
	result.Failures()[0] = domain.AgentFailure{}

	require.Equal(t, proposal, result.Results()[0])
	require.Equal(t, failure, result.Failures()[0])
}

func TestRankPutsTheBestFirstAndKeepsTheOrderOfEqualOnes(t *testing.T) {
	council, turns := councilOf(t, 6)
	for i, score := range []float64{0.5, 0.9, 0.5, 0, 0.9} {
		council = take(council, turns[i], completed("p", score, 0))
	}
	council = take(council, turns[5], domain.GivenUp(domain.NewTurnFailure(domain.ModelRejected, "no", false)))

	ranked := council.Rank()
	var order []string
	for _, result := range ranked.Results() {
		order = append(order, result.Agent().ID())
	}
	require.Equal(t, []string{"agent-2", "agent-5", "agent-1", "agent-3", "agent-4"}, order)
	require.Equal(t, 6, ranked.Total())
	require.Equal(t, 1, ranked.Failed())
	require.True(t, ranked.Degraded())
	require.InDelta(t, 0.56, ranked.AverageScore(), 1e-9)
	require.Equal(t, "agent-1", council.Seats()[0].Agent().ID(), "the council keeps its own order")
}

func TestEqualScoresKeepRequestOrderInALargeCouncil(t *testing.T) {
	council, turns := councilOf(t, 64)
	for i, turn := range turns {
		council = take(council, turn, completed("p", float64(i%2), 0))
	}
	for i, result := range council.Rank().Results() {
		require.Equal(t, turns[(2*i+1)%65].Agent().ID(), result.Agent().ID(), i)
	}
}

func TestACompleteCouncilIsNotDegraded(t *testing.T) {
	council, turns := councilOf(t, 1)
	require.True(t, council.Rank().Degraded(), "an agent that is still at work is missing")
	require.False(t, take(council, turns[0], completed("p", 0, 0)).Rank().Degraded())
}

func TestRankingDoesNotDependOnTheOrderOfCompletion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		council, turns := councilOf(t, 5)
		scores := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 0.5, 0.5, 1}), 5, 5).Draw(t, "scores")
		inOrder, shuffled := council, council
		for i := range turns {
			inOrder = take(inOrder, turns[i], completed("p", scores[i], 1))
		}
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4}).Draw(t, "order") {
			shuffled = take(shuffled, turns[i], completed("p", scores[i], 1))
		}
		require.Equal(t, inOrder, shuffled)
		results := inOrder.Rank().Results()
		for i := 1; i < len(results); i++ {
			require.GreaterOrEqual(t, results[i-1].Score(), results[i].Score())
		}
	})
}
