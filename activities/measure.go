package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
)

// Names of the metrics of activities. Durations are in seconds.
const (
	MetricRayLatency = "deliberation_ray_request_latency" // by cluster, operation, result
	MetricFirstToken = "deliberation_time_to_first_token"
	MetricEvents     = "deliberation_published_events" // by result
)

// measured times the requests to a cluster. An await takes until a turn ends, at most as long as a poll.
type measured struct {
	domain.RayCluster

	name    string
	metrics client.MetricsHandler // of one activity, also for a request that several activities share
}

func (m measured) Submit(ctx context.Context, submission domain.Submission) (domain.Acceptance, error) {
	began := time.Now()
	accepted, err := m.RayCluster.Submit(ctx, submission)
	m.measure("submit", began, err)
	return accepted, err
}

func (m measured) Await(ctx context.Context, handles []domain.Handle, wait time.Duration) ([]domain.Observation, error) {
	began := time.Now()
	seen, err := m.RayCluster.Await(ctx, handles, wait)
	m.measure("await", began, err)
	for _, turn := range seen {
		if turn.State == domain.RayCompleted && turn.Unreachable == "" {
			m.metrics.Timer(MetricFirstToken).Record(turn.Completion.FirstToken)
		}
	}
	return seen, err
}

func (m measured) Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	began := time.Now()
	seen, err := m.RayCluster.Stop(ctx, order)
	m.measure("stop", began, err)
	return seen, err
}

func (m measured) Forget(ctx context.Context, orders ...domain.StopOrder) error {
	began := time.Now()
	err := m.RayCluster.Forget(ctx, orders...)
	m.measure("forget", began, err)
	return err
}

func (m measured) measure(operation string, began time.Time, err error) {
	m.metrics.WithTags(map[string]string{
		"cluster": m.name, "operation": operation, "result": resultOf(err),
	}).Timer(MetricRayLatency).Record(time.Since(began))
}

// measureEvents counts published events by their result, each try separately.
func measureEvents(ctx context.Context, published domain.Publication) {
	for result, count := range map[string]int{
		"stored": published.Stored, "duplicate": published.Duplicate, "dropped": published.Dropped,
	} {
		activity.GetMetricsHandler(ctx).WithTags(map[string]string{"result": result}).Counter(MetricEvents).Inc(int64(count))
	}
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	if ours, ok := errors.AsType[*domain.Error](err); ok {
		return string(ours.Kind)
	}
	return "ended" // the activity itself has ended
}
