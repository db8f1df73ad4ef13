package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/domain"
)

// variables are an environment as envconfig looks into it.
type variables []string

func (v variables) Environ() []string { return v }

func (v variables) LookupEnv(name string) (string, bool) {
	value, set := env.ToMap(v)[name]
	return value, set
}

// temporalOptions reads the variables and profiles that the temporal CLI reads too.
func temporalOptions(environ []string) (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: variables(environ)})
	if err != nil {
		return options, fmt.Errorf("temporal configuration (TEMPORAL_*): %w", err)
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	// What has a scheme is for gRPC's resolvers, which know more of them than this.
	if !strings.Contains(options.HostPort, ":///") && !hostPort(options.HostPort) {
		return options, fmt.Errorf("TEMPORAL_ADDRESS (or the profile's address): must be host:port, got %s", domain.Quote(options.HostPort))
	}
	return options, nil
}

// dial waits for a server that isn't there yet: a worker may be started first.
func dial(ctx context.Context, options client.Options, metrics *prometheus.Registry, logger *slog.Logger) (client.Client, error) {
	handler, err := metricsHandler(metrics)
	if err != nil {
		return nil, err
	}
	options.MetricsHandler = handler
	options.Logger = log.NewStructuredLogger(logger)
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = 5 * time.Second
	return backoff.Retry(ctx, func() (client.Client, error) { return client.DialContext(ctx, options) },
		backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
			logger.Warn("waiting for Temporal", "address", options.HostPort, "error", err)
		}))
}

// namespaceID owns the turns on Ray: two namespaces may share a cluster.
func namespaceID(ctx context.Context, c client.Client, namespace string) (string, error) {
	described, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return "", fmt.Errorf("namespace %q: %w", namespace, err)
	}
	return described.GetNamespaceInfo().GetId(), nil
}
