package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"deliberation.io/deliberation/domain"
)

// variables is an environment in the form that envconfig reads.
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
	options.Namespace = cmp.Or(options.Namespace, client.DefaultNamespace)
	options.HostPort = cmp.Or(options.HostPort, client.DefaultHostPort)
	// gRPC resolves an address with a scheme.
	if !strings.Contains(options.HostPort, ":///") && !hostPort(options.HostPort) {
		return options, fmt.Errorf("TEMPORAL_ADDRESS (or the profile's address): must be host:port, got %s", domain.Quote(options.HostPort))
	}
	return options, nil
}

// dial connects to Temporal. It waits for a server that isn't there yet, since the worker may be started first.
func dial(ctx context.Context, options client.Options, metrics *prometheus.Registry, logger *slog.Logger) (client.Client, error) {
	handler, err := metricsHandler(metrics)
	if err != nil {
		return nil, err
	}
	options.MetricsHandler = handler
	options.Logger = log.NewStructuredLogger(logger)
	// By default the SDK compresses requests and accepts compressed responses. That costs a third of the worker's
	// processor time, and some of the server's: see docs/adr/0010-where-the-time-goes.md.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	return patiently(ctx, logger.With("address", options.HostPort), func() (client.Client, error) { return client.DialContext(ctx, options) })
}

// patiently asks Temporal until it answers, or the context ends.
func patiently[Answer any](ctx context.Context, logger *slog.Logger, ask backoff.Operation[Answer]) (Answer, error) {
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = 5 * time.Second
	return backoff.Retry(ctx, ask, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		logger.Warn("waiting for Temporal", "error", err)
	}))
}

// describer describes a namespace. The workflow service of a client implements it.
type describer interface {
	DescribeNamespace(ctx context.Context, in *workflowservice.DescribeNamespaceRequest, opts ...grpc.CallOption) (*workflowservice.DescribeNamespaceResponse, error)
}

// namespaceID returns the namespace's id. It is the owner of the turns on Ray, since two namespaces may share a
// cluster. It asks again while the server is in trouble or not there yet.
func namespaceID(ctx context.Context, from describer, namespace string, logger *slog.Logger) (string, error) {
	return patiently(ctx, logger, func() (string, error) {
		described, err := from.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		if err != nil {
			err = fmt.Errorf("namespace %q: %w", namespace, err)
			if hint, final := final(err); final {
				return "", backoff.Permanent(fmt.Errorf("%w; set %s", err, hint))
			}
		}
		return described.GetNamespaceInfo().GetId(), err
	})
}

// final reports whether asking the server again can't help, and what to set instead.
func final(err error) (hint string, final bool) {
	if _, denied := errors.AsType[*serviceerror.PermissionDenied](err); denied {
		return "TEMPORAL_API_KEY, or TEMPORAL_TLS_…", true
	}
	_, missing := errors.AsType[*serviceerror.NamespaceNotFound](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return "TEMPORAL_NAMESPACE", missing || invalid
}
