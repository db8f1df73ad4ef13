package fakes

import (
	"context"

	"go.temporal.io/sdk/interceptor"
)

// Heartbeats is an interceptor that keeps every heartbeat of an activity: the SDK sends only some.
type Heartbeats struct {
	interceptor.WorkerInterceptorBase

	Recorded []any
}

// InterceptActivity implements interceptor.WorkerInterceptor.
func (h *Heartbeats) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &listening{ActivityInboundInterceptorBase: interceptor.ActivityInboundInterceptorBase{Next: next}, to: h}
}

type listening struct {
	interceptor.ActivityInboundInterceptorBase

	to *Heartbeats
}

func (l *listening) Init(outbound interceptor.ActivityOutboundInterceptor) error {
	return l.Next.Init(&recording{ActivityOutboundInterceptorBase: interceptor.ActivityOutboundInterceptorBase{Next: outbound}, to: l.to})
}

type recording struct {
	interceptor.ActivityOutboundInterceptorBase

	to *Heartbeats
}

func (r *recording) RecordHeartbeat(ctx context.Context, details ...any) {
	r.to.Recorded = append(r.to.Recorded, details...)
	r.Next.RecordHeartbeat(ctx, details...)
}
