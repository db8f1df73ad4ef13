package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetrics_HaveBoundsInSeconds(t *testing.T) {
	registry := newRegistry()
	handler, err := metricsHandler(registry)
	require.NoError(t, err)

	handler.WithTags(map[string]string{"operation": "submit"}).Timer("deliberation_ray_request_latency").Record(30 * time.Millisecond)
	handler.Counter("deliberations").Inc(2)

	families, err := registry.Gather()
	require.NoError(t, err)
	found := map[string]bool{}
	for _, family := range families {
		found[family.GetName()] = true
		if family.GetName() != "deliberation_ray_request_latency_seconds" {
			continue
		}
		for _, bucket := range family.GetMetric()[0].GetHistogram().GetBucket() {
			inside := bucket.GetUpperBound() >= .05
			require.Equal(t, inside, bucket.GetCumulativeCount() == 1, "%v", bucket)
		}
	}
	require.True(t, found["deliberation_ray_request_latency_seconds"], "%v", found)
	require.True(t, found["deliberations"], "%v", found)
}
