package main

import (
	"strconv"
	"strings"
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

func TestMetrics_MakeOneHandlerForTheSameTags(t *testing.T) {
	registry := newRegistry()
	handler, err := metricsHandler(registry)
	require.NoError(t, err)
	submit := handler.WithTags(map[string]string{"queue": "a", "operation": "submit"})

	kept, ours := handler.WithTags(map[string]string{"operation": "submit", "queue": "a"}).(handlers)
	require.True(t, ours)
	require.Len(t, kept.made.byTags, 1)
	for range 2 {
		handler.WithTags(map[string]string{"queue": "a"}).WithTags(map[string]string{"operation": "submit"}).Counter("tasks").Inc(1)
	}
	submit.WithTags(map[string]string{"queue": "b"}).Counter("tasks").Inc(3)
	handler.WithTags(map[string]string{"queue": "aoperation", "operation": ""}).Counter("tasks").Inc(5)

	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP tasks
# TYPE tasks gauge
tasks{operation="",otel_scope_name="deliberation",otel_scope_schema_url="",otel_scope_version="",queue="aoperation"} 5
tasks{operation="submit",otel_scope_name="deliberation",otel_scope_schema_url="",otel_scope_version="",queue="a"} 2
tasks{operation="submit",otel_scope_name="deliberation",otel_scope_schema_url="",otel_scope_version="",queue="b"} 3
`), "tasks"))
}

func TestMetrics_RememberABoundedNumberOfHandlers(t *testing.T) {
	handler, err := metricsHandler(newRegistry())
	require.NoError(t, err)
	kept, ours := handler.(handlers)
	require.True(t, ours)
	for n := range handlersKept + 10 {
		handler.WithTags(map[string]string{"n": strconv.Itoa(n)})
	}
	require.Len(t, kept.made.byTags, handlersKept)
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
