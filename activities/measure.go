package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
)

// Names of the metrics of activities; the SDK has more. Durations are in seconds.
const (
	MetricRayLatency = "deliberation_ray_request_latency" // by cluster, operation, result
	MetricFirstToken = "deliberation_time_to_first_token"
	MetricEvents     = "deliberation_published_events" // by result
)

// measured is a cluster whose requests are timed. An await takes as long as its turn does, at most the
// long poll.
type measured struct {
	domain.RayCluster

	name string
}

func (m measured) Submit(ctx context.Context, submission domain.Submission) (domain.Acceptance, error) {
	began := time.Now()
	accepted, err := m.RayCluster.Submit(ctx, submission)
	m.measure(ctx, "submit", began, err)
	return accepted, err
}

func (m measured) Await(ctx context.Context, handle domain.Handle, wait time.Duration) (domain.Observation, error) {
	began := time.Now()
	seen, err := m.RayCluster.Await(ctx, handle, wait)
	told := err
	if seen.Unreachable != "" {
		told = &domain.Error{Kind: domain.KindUnreachable}
	}
	m.measure(ctx, "await", began, told)
	if seen.State == domain.RayCompleted {
		activity.GetMetricsHandler(ctx).Timer(MetricFirstToken).Record(seen.Completion.FirstToken)
	}
	return seen, err
}

func (m measured) Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	began := time.Now()
	seen, err := m.RayCluster.Stop(ctx, order)
	m.measure(ctx, "stop", began, err)
	return seen, err
}

func (m measured) Forget(ctx context.Context, order domain.StopOrder) error {
	began := time.Now()
	err := m.RayCluster.Forget(ctx, order)
	m.measure(ctx, "forget", began, err)
	return err
}

func (m measured) measure(ctx context.Context, operation string, began time.Time, err error) {
	activity.GetMetricsHandler(ctx).WithTags(map[string]string{
		"cluster": m.name, "operation": operation, "result": resultOf(err),
	}).Timer(MetricRayLatency).Record(time.Since(began))
}

// measureEvents counts published events by their result, each try separately.
func measureEvents(ctx context.Context, came domain.Publication) {
	for result, count := range map[string]int{
		"stored": came.Stored, "duplicate": came.Duplicate, "dropped": came.Dropped,
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
	return "ended" // by the activity's own end
}
