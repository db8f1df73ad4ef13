//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

func TestStatisticsAreTheSameAfterTheirWorkerWasKilled(t *testing.T) {
	s := newSpace(t, "restart")
	queue, cluster := stack.Queue(t), standInForRay(t)
	first := stack.StartWorker(t, queue, s.worker(cluster)...)
	require.NoError(t, s.begin(t, queue, "good").Get(t.Context(), nil))
	require.Error(t, s.begin(t, queue, "rejects").Get(t.Context(), nil))
	s.begin(t, queue, "hangs")
	s.settles(t, 3, 1)
	before := s.stats(t, "--refresh")
	require.Equal(t, []int64{3, 1, 1, 1}, []int64{before.Total, before.Active, before.Completed, before.Failed})

	first.Kill(t)
	stack.StartWorker(t, queue, s.worker(cluster)...)

	for _, flags := range [][]string{nil, {"--refresh"}} {
		var after contract.Stats
		stack.Eventually(t, "the other worker answers", func(c *assert.CollectT) { after = s.stats(c, flags...) })
		require.GreaterOrEqual(t, after.UptimeSeconds, before.UptimeSeconds)
		require.False(t, after.AsOf.Before(before.AsOf))
		after.UptimeSeconds, after.AsOf = before.UptimeSeconds, before.AsOf
		require.Equal(t, before, after)
	}
	runs, err := s.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowType='" + contract.DeliberationStatsName + "'",
	})
	require.NoError(t, err)
	require.Equal(t, int64(1), runs.GetCount(), "it is the same run that goes on")
}
