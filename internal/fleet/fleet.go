// Package fleet watches the Ray clusters of a worker: which of them answer, since when, and how many more turns they
// take. Deliberations are placed by the latest state.
package fleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/periodic"
)

const (
	// everyUp is how often a cluster that answers is asked.
	everyUp = 5 * time.Second
	// everyDown is how often a cluster that does not answer is asked.
	everyDown = time.Second
	// firstWithin bounds the first look: a worker waits for it when it starts.
	firstWithin = 2 * time.Second
)

// Fleet holds a worker's Ray clusters in order of preference.
type Fleet []*Member

// Look asks all clusters once and waits for their answers, but not for long.
func (f Fleet) Look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstWithin)
	defer cancel()
	f.each(func(m *Member) { m.look(ctx) })
}

// Watch keeps asking the clusters until the context ends.
func (f Fleet) Watch(ctx context.Context) {
	f.each(func(m *Member) { periodic.Every(ctx, everyDown, m.lookWhenDue) })
}

// each calls do for all members at the same time, so that a cluster that hangs delays no other.
func (f Fleet) each(do func(*Member)) {
	var running sync.WaitGroup
	for _, member := range f {
		running.Go(func() { do(member) })
	}
	running.Wait()
}

// States returns the states by which deliberations are placed. It does no I/O, since workflow tasks call it.
func (f Fleet) States() []domain.ClusterState { return domain.Each(f, (*Member).state) }

// Views returns the clusters in order of preference.
func (f Fleet) Views() []View { return domain.Each(f, (*Member).view) }

// LogBreaker returns a function that logs the changes of a cluster's breaker.
func LogBreaker(log *slog.Logger, cluster string) func(from, to ray.BreakerState, why string) {
	return func(from, to ray.BreakerState, why string) {
		switch {
		case from == ray.BreakerClosed: // a later probe that fails isn't logged
			log.Warn("ray cluster does not answer; it is asked by one probe at a time", "cluster", cluster, "cause", why)
		case to == ray.BreakerClosed:
			log.Info("ray cluster answers again", "cluster", cluster)
		}
	}
}

var (
	breakerState = prometheus.NewDesc("deliberation_ray_breaker_state",
		"Whether this worker asks the Ray cluster: 0 closed, it does; 1 half-open, by a probe; 2 open, it does not.", []string{"cluster"}, nil)
	clusterRoom = prometheus.NewDesc("deliberation_ray_cluster_room",
		"How many more turns the Ray cluster's runners take; 0 when it does not answer.", []string{"cluster"}, nil)
)

var _ prometheus.Collector = Fleet{}

func (f Fleet) Describe(to chan<- *prometheus.Desc) {
	to <- breakerState
	to <- clusterRoom
}

func (f Fleet) Collect(to chan<- prometheus.Metric) {
	for _, member := range f {
		to <- prometheus.MustNewConstMetric(breakerState, prometheus.GaugeValue, float64(member.cluster.Breaker()), member.name)
		to <- prometheus.MustNewConstMetric(clusterRoom, prometheus.GaugeValue, float64(member.room()), member.name)
	}
}
