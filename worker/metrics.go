package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"deliberation.io/deliberation/activities/nats"
)

const metricSayings = "deliberation_token_messages"

// newRegistry returns a registry with the metrics of the process. dial adds those of the Temporal SDK.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// measure registers the metrics of what the worker is connected to.
func (a *adapters) measure(metrics *prometheus.Registry) {
	metrics.MustRegister(a.fleet)
	if a.publisher != nil {
		metrics.MustRegister(sayings(a.publisher)...)
	}
}

// sayings returns counters of the messages with the text of turns.
func sayings(by *nats.Publisher) []prometheus.Collector {
	counter := func(outcome string, count func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: metricSayings, Help: "Messages with the text of turns that came by waits.",
			ConstLabels: prometheus.Labels{"outcome": outcome},
		}, count)
	}
	return []prometheus.Collector{
		counter("sent", func() float64 { return float64(by.Offers().Sent) }),
		counter("dropped", func() float64 { return float64(by.Offers().Dropped) }),
	}
}

// seconds sets the buckets of histograms, from a millisecond to an hour. OpenTelemetry's defaults are in milliseconds.
var seconds = metric.NewView(metric.Instrument{Kind: metric.InstrumentKindHistogram}, metric.Stream{
	Aggregation: metric.AggregationExplicitBucketHistogram{
		Boundaries: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 40, 80, 160, 300, 600, 1800, 3600},
	},
})

func metricsHandler(registry *prometheus.Registry) (client.MetricsHandler, error) {
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, err
	}
	meter := metric.NewMeterProvider(metric.WithReader(reader), metric.WithView(seconds)).Meter("deliberation")
	return newHandlers(opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter})), nil
}
