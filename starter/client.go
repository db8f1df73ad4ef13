package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/internal/tracing"
)

// connectWithin bounds the wait for a Temporal that isn't there.
const connectWithin = 5 * time.Second

// server is the connection to Temporal.
type server struct {
	client.Client
	address   string
	namespace string
}

// configure finds Temporal as the temporal CLI does.
func (c *cli) configure() (client.Options, error) {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{ConfigFileProfile: c.profile})
	if err != nil {
		return options, misused("the profile comes from TEMPORAL_PROFILE or --profile, its file from TEMPORAL_CONFIG_FILE",
			"configuration of temporal: %w", err)
	}
	options.HostPort = first(c.address, options.HostPort, client.DefaultHostPort)
	options.Namespace = first(c.namespace, options.Namespace, client.DefaultNamespace)
	options.Logger = log.NewStructuredLogger(slog.New(slog.DiscardHandler)) // errors are returned, and reported once
	c.server = server{address: options.HostPort, namespace: options.Namespace}
	return options, nil
}

func (c *cli) connect(ctx context.Context) (server, error) {
	options, err := c.configure()
	if err != nil {
		return server{}, err
	}
	if c.traces, err = tracing.New(ctx, "deliberation-starter", version, func(error) {}); err != nil {
		return server{}, misused("see the OTEL_EXPORTER_OTLP_* variables", "tracing: %w", err)
	}
	options.Interceptors = c.traces.Interceptors
	dialling, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	connected, err := client.DialContext(dialling, options)
	switch {
	case ctx.Err() != nil:
		return server{}, ctx.Err()
	case err != nil && dialling.Err() != nil:
		return server{}, unusable("temporal at %q does not answer within %s; set TEMPORAL_ADDRESS or --address",
			options.HostPort, connectWithin)
	case err != nil:
		why := strings.TrimPrefix(err.Error(), "failed reaching server: ")
		return server{}, unusable("temporal at %q can't be used: %s; set TEMPORAL_ADDRESS or --address", options.HostPort, why)
	}
	c.server.Client = connected
	return c.server, nil
}

func unusable(format string, args ...any) error {
	return &exit{code: exitTemporal, err: fmt.Errorf(format, args...)}
}

func (c *cli) disconnect(ctx context.Context) {
	if c.server.Client != nil {
		c.server.Close()
	}
	_ = c.traces.Close(ctx) // spans that are lost are no fault of the command
}

// silent tells an error that means that Temporal may answer if it is asked again.
func silent(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
