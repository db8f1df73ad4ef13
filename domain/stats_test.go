package domain_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestRecordCountsEachEnding(t *testing.T) {
	stats := domain.ExecutionStats{}.WithActive(2).
		Record(domain.EndedCompleted, 4*time.Second).
		Record(domain.EndedCompleted, 2*time.Second).
		Record(domain.EndedFailed, time.Hour).
		Record(domain.EndedTimedOut, time.Hour).
		Record(domain.EndedTerminated, time.Hour).
		Record(domain.EndedCancelled, time.Hour)
	require.Equal(t, int64(2), stats.Active())
	require.Equal(t, int64(2), stats.Completed())
	require.Equal(t, int64(3), stats.Failed(), "timed out and terminated ones are failed too")
	require.Equal(t, int64(1), stats.TimedOut())
	require.Equal(t, int64(1), stats.Terminated())
	require.Equal(t, int64(1), stats.Cancelled())
	require.Equal(t, int64(8), stats.Total())
	require.InDelta(t, 3000, stats.AverageExecutionTimeMS(), 0, "over the completed only")
}

func TestNothingThatIsRecordedIsNegative(t *testing.T) {
	stats := domain.ExecutionStats{}.WithActive(-1).Record(domain.EndedCompleted, -time.Second)
	require.Zero(t, stats.Active())
	require.Zero(t, stats.AverageExecutionTimeMS())
	require.Equal(t, int64(1), stats.Total())
}

func TestCopiesOfStatsShareNothing(t *testing.T) {
	executions := make([]time.Duration, 3, 16)
	base, err := domain.NewExecutionStats(domain.StatsSpec{Completed: 3, Executions: executions})
	require.NoError(t, err)
	executions[0] = time.Hour
	require.Zero(t, base.AverageExecutionTimeMS())

	for range 5 { // from some length on the array has room for one more
		left, right := base.Record(domain.EndedCompleted, time.Second), base.Record(domain.EndedCompleted, time.Minute)
		require.InDelta(t, 1000, left.PercentileMS(1), 0)
		require.InDelta(t, 60_000, right.PercentileMS(1), 0)
		require.Equal(t, base.Completed()+1, left.Completed())
		base = base.Record(domain.EndedCompleted, 0)
	}
}

func TestRecordLeavesTheOldValueAsItIs(t *testing.T) {
	ending := rapid.SampledFrom([]domain.Ending{
		domain.EndedCompleted, domain.EndedFailed, domain.EndedCancelled, domain.EndedTimedOut, domain.EndedTerminated,
	})
	rapid.Check(t, func(t *rapid.T) {
		stats := domain.ExecutionStats{}
		var total int64
		for range rapid.IntRange(0, 20).Draw(t, "runs") {
			before := []float64{float64(stats.Total()), float64(stats.Completed()), float64(stats.Failed()), stats.AverageExecutionTimeMS(), stats.PercentileMS(0.5)}
			next := stats.Record(ending.Draw(t, "ending"), time.Duration(rapid.IntRange(0, 1e9).Draw(t, "took")))
			stats.Record(domain.EndedCompleted, time.Hour)
			after := []float64{float64(stats.Total()), float64(stats.Completed()), float64(stats.Failed()), stats.AverageExecutionTimeMS(), stats.PercentileMS(0.5)}
			require.Equal(t, before, after)
			stats = next
			total++
			require.Equal(t, total, stats.Total())
			require.Equal(t, total, stats.Active()+stats.Completed()+stats.Failed()+stats.Cancelled())
			require.Less(t, stats.PercentileMS(1), 3.6e6)
		}
	})
}

func TestPercentilesAreOfTheNearestRank(t *testing.T) {
	var twenty []time.Duration
	for i := range 20 {
		twenty = append(twenty, time.Duration(20-i)*time.Millisecond)
	}
	stats, err := domain.NewExecutionStats(domain.StatsSpec{Completed: 20, Executions: twenty})
	require.NoError(t, err)
	for share, want := range map[float64]float64{
		0: 1, 0.01: 1, 0.05: 1, 0.051: 2, 0.5: 10, 0.51: 11, 0.95: 19, 0.951: 20, 0.99: 20, 1: 20, -1: 1, 2: 20,
	} {
		require.InDelta(t, want, stats.PercentileMS(share), 0, share)
	}
	require.Equal(t, 20*time.Millisecond, twenty[0], "the caller's order is as it was")

	one := domain.ExecutionStats{}.Record(domain.EndedCompleted, 1500*time.Microsecond)
	for _, share := range []float64{0, 0.5, 0.95, 1, math.Inf(1), math.Inf(-1), math.NaN()} {
		require.InDelta(t, 1.5, one.PercentileMS(share), 0)
	}
}

func TestAPercentileIsAValueThatTheShareStaysWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms")) * time.Millisecond
		}), 1, 200).Draw(t, "took")
		stats, err := domain.NewExecutionStats(domain.StatsSpec{Executions: took})
		require.NoError(t, err)
		percent := rapid.IntRange(1, 100).Draw(t, "percent")
		value := time.Duration(stats.PercentileMS(float64(percent)/100)) * time.Millisecond
		require.Contains(t, took, value)
		within, below := 0, 0
		for _, execution := range took {
			if execution <= value {
				within++
			}
			if execution < value {
				below++
			}
		}
		require.GreaterOrEqual(t, within*100, percent*len(took))
		require.Less(t, below*100, percent*len(took), "and the smallest such value")
		require.LessOrEqual(t, stats.AverageExecutionTimeMS(), float64(slices.Max(took).Milliseconds())+1e-6)
	})
}

func TestTheAverageOfManyLongRunsDoesNotOverflow(t *testing.T) {
	century := 100 * 365 * 24 * time.Hour
	stats, err := domain.NewExecutionStats(domain.StatsSpec{Completed: 4, Executions: []time.Duration{century, century, century, century}})
	require.NoError(t, err)
	require.InEpsilon(t, float64(century.Milliseconds()), stats.AverageExecutionTimeMS(), 1e-9)
}

func TestFiguresStandForExecutionTimes(t *testing.T) {
	figures := &domain.ExecutionFigures{AverageMS: 2000, PercentilesMS: map[float64]float64{0.5: 1500}}
	stats, err := domain.NewExecutionStats(domain.StatsSpec{Completed: 3, Figures: figures})
	require.NoError(t, err)
	figures.AverageMS, figures.PercentilesMS[0.5] = 1, 1

	more := stats.Record(domain.EndedCompleted, 6*time.Second).Record(domain.EndedFailed, time.Hour)

	require.InDelta(t, 2000, stats.AverageExecutionTimeMS(), 0)
	require.InDelta(t, 1500, stats.PercentileMS(0.5), 0)
	require.Zero(t, stats.PercentileMS(0.95), "nobody knows it")
	require.InDelta(t, 3000, more.AverageExecutionTimeMS(), 1e-9)
	require.Equal(t, int64(4), more.Completed())
}

func TestFiguresAndExecutionTimesExcludeEachOther(t *testing.T) {
	_, err := domain.NewExecutionStats(domain.StatsSpec{
		Completed: 1, Executions: []time.Duration{time.Second}, Figures: &domain.ExecutionFigures{AverageMS: 1000},
	})
	require.ErrorContains(t, err, "average_execution_time_ms")
}
