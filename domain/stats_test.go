package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestTimedOutAndTerminatedDeliberationsHaveFailedToo(t *testing.T) {
	stats, err := domain.NewExecutionStats(domain.ExecutionCounts{
		Active: 1, Completed: 2, Failed: 4, Cancelled: 8, TimedOut: 16, Terminated: 32,
	}, domain.ExecutionTimes{})

	require.NoError(t, err)
	require.Equal(t, int64(4+16+32), stats.Failed())
	require.Equal(t, int64(63), stats.Total())
}
