package fleet

import "github.com/prometheus/client_golang/prometheus"

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
