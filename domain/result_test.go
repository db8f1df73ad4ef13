package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func resultOf(t require.TestingT, id string, score float64) domain.DeliberationResult {
	result, err := domain.NewDeliberationResult(domain.ResultSpec{Agent: agentOf(t, id), Answer: domain.RestoredAnswer("p", "", score)})
	require.NoError(t, err)
	return result
}

func TestCouncilResultRules(t *testing.T) {
	results := []domain.DeliberationResult{resultOf(t, "a", 0.9), resultOf(t, "b", 0.4)}
	failures := make([]domain.AgentFailure, 2)
	for name, test := range map[string]struct {
		total    int
		results  []domain.DeliberationResult
		failures []domain.AgentFailure
		fault    string
	}{
		"nobody":                        {0, nil, nil, ""},
		"everybody":                     {4, results, failures, ""},
		"more than have ended":          {9, results, failures, ""},
		"a negative total":              {-1, nil, nil, "total_agents: cannot be negative, got -1"},
		"more proposals than agents":    {1, results, nil, "completed_agents + failed_agents: must be at most 1, got 2"},
		"more failures than agents":     {1, nil, failures, "completed_agents + failed_agents: must be at most 1, got 2"},
		"together more than agents":     {3, results, failures, "completed_agents + failed_agents: must be at most 3, got 4"},
		"a negative total with results": {-1, results, nil, "total_agents: cannot be negative, got -1; completed_agents + failed_agents: must be at most 0, got 2"},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := domain.NewCouncilResult(test.total, test.results, test.failures)
			if test.fault != "" {
				require.EqualError(t, err, test.fault)
				require.Zero(t, result)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.total, result.Total())
			require.Equal(t, len(test.results), result.Completed())
			require.Len(t, result.Results(), result.Completed())
			require.Equal(t, len(test.failures), result.Failed())
			require.Len(t, result.Failures(), result.Failed())
		})
	}
}

func TestAnEmptyCouncilResultHasNoBestAndAverageZero(t *testing.T) {
	result, err := domain.NewCouncilResult(2, nil, nil)
	require.NoError(t, err)
	_, has := result.Best()
	require.False(t, has)
	require.Zero(t, result.AverageScore())
	require.True(t, result.Degraded())
	require.False(t, domain.CouncilResult{}.Degraded(), "in an empty council nobody is missing")
}

func TestBestAndAverageAreOverTheCompleted(t *testing.T) {
	result, err := domain.NewCouncilResult(3,
		[]domain.DeliberationResult{resultOf(t, "a", 0.75), resultOf(t, "b", 0.25)}, make([]domain.AgentFailure, 1))
	require.NoError(t, err)
	best, has := result.Best()
	require.True(t, has)
	require.Equal(t, "a", best.Agent().ID())
	require.InDelta(t, 0.5, result.AverageScore(), 0)
	require.True(t, result.Degraded())
}

func TestCouncilResultIsImmutable(t *testing.T) {
	results, failures := []domain.DeliberationResult{resultOf(t, "a", 1)}, make([]domain.AgentFailure, 1)
	result, err := domain.NewCouncilResult(2, results, failures)
	require.NoError(t, err)
	want := result.Failures()[0]

	results[0] = resultOf(t, "changed", 0)
	result.Results()[0] = domain.DeliberationResult{}
	council, turns := councilOf(t, 1)
	failures[0] = take(council, turns[0], domain.GivenUp(domain.TurnFailure{})).Rank().Failures()[0]

	require.Equal(t, "a", result.Results()[0].Agent().ID())
	require.Equal(t, want, result.Failures()[0])
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
