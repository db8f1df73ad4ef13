// Package tracing sends spans by OTLP over HTTP where the environment says so.
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

// Tracing makes one trace of a client's start, the workflow, its activities and the calls of Ray.
type Tracing struct {
	Interceptors []interceptor.ClientInterceptor // for client.Options; workers of that client trace too
	provider     *trace.TracerProvider
}

// New traces when OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, and costs nothing
// otherwise. The exporter reads the other OTEL_* variables itself. A collector that is away loses spans
// only, and report hears of it.
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
		AllowInvalidParentSpans: true, // a caller's header of another kind must not stop a deliberation
	})
	if err != nil {
		return nil, err
	}
	return &Tracing{Interceptors: []interceptor.ClientInterceptor{traces}, provider: provider}, nil
}

// Close sends what is left, also when the context is over: a collector that is away holds nobody up.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil || t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
