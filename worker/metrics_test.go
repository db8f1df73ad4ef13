package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/workflows/contract"
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

func TestMetrics_CountTheTextThatNATSDoesNotTake(t *testing.T) {
	publisher, err := nats.Connect(nats.Config{URL: "nats://127.0.0.1:1"})
	require.NoError(t, err)
	t.Cleanup(publisher.Close)
	counters := sayings(publisher)

	publisher.Offer([]contract.Saying{{TurnID: "t1"}, {TurnID: "t1"}})

	require.Eventually(t, func() bool { return testutil.ToFloat64(counters[1]) == 2 }, time.Minute, 10*time.Millisecond)
	require.Zero(t, testutil.ToFloat64(counters[0]))
}
