// Package tracing sends spans by OTLP over HTTP if the environment says so.
package tracing

import (
	"context"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
)

// Tracing joins a client's start, the workflow, its activities and the calls to Ray in one trace.
type Tracing struct {
	Interceptors []interceptor.ClientInterceptor // for client.Options; workers of that client trace too
	provider     *trace.TracerProvider
}

// New traces only if OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. The exporter reads the
// other OTEL_* variables itself. If the collector is away, spans are lost, and report gets the error.
func New(ctx context.Context, service, version string, report func(error)) (*Tracing, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return &Tracing{}, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(report))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	is, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version)), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(is))
	traces, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: provider.Tracer("deliberation"), TextMapPropagator: propagation.TraceContext{}, DisableQueryTracing: true,
		AllowInvalidParentSpans: true, // a caller's unreadable header must not stop a deliberation
	})
	if err != nil {
		return nil, err
	}
	return &Tracing{Interceptors: []interceptor.ClientInterceptor{traces}, provider: provider}, nil
}

// Close sends the remaining spans, also after the end of the context. It doesn't wait long for a collector that is
// away.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil || t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
