package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/log"
)

// dial connects to Temporal by the variables and profiles that the temporal CLI reads too. It waits for
// a server that isn't there yet: a worker may be started first.
func dial(ctx context.Context, logger *slog.Logger) (client.Client, client.Options, error) {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return nil, options, fmt.Errorf("temporal configuration: %w", err)
	}
	exporter, err := prometheus.New()
	if err != nil {
		return nil, options, err
	}
	meter := metric.NewMeterProvider(metric.WithReader(exporter)).Meter("deliberation")
	options.MetricsHandler = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter})
	options.Logger = log.NewStructuredLogger(logger)
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = 5 * time.Second
	connected, err := backoff.Retry(ctx, func() (client.Client, error) { return client.DialContext(ctx, options) },
		backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
			logger.Warn("waiting for Temporal", "address", options.HostPort, "error", err)
		}))
	return connected, options, err
}

// namespaceID owns the turns on Ray: two namespaces may share a cluster.
func namespaceID(ctx context.Context, c client.Client, namespace string) (string, error) {
	described, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return "", fmt.Errorf("namespace %q: %w", namespace, err)
	}
	return described.GetNamespaceInfo().GetId(), nil
}
