// Package fakes holds what the tests of several packages share: requests, histories, attacks, and services in memory
// that stand in for Ray, NATS and visibility.
package fakes

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// Services are the fakes for all activities.
type Services struct {
	Ray        *Ray
	NATS       *NATS
	Visibility *Visibility
}

// NewServices makes fakes that wait in the environment's skipped time, or in real time if env is nil.
func NewServices(env *testsuite.TestWorkflowEnvironment) Services {
	c := clock{env}
	return Services{Ray: newRay(c), NATS: &NATS{clock: c, ids: map[string]bool{}}, Visibility: &Visibility{clock: c}}
}

// Registry is a worker or a test environment.
type Registry interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

// Register binds the names of the activities to the fakes.
func (s Services) Register(to Registry) {
	for name, does := range map[string]any{
		contract.ActivitySubmitTurns:        s.SubmitTurns,
		contract.ActivityAwaitTurn:          s.Ray.AwaitTurn,
		contract.ActivityStopTurns:          s.Ray.StopTurns,
		contract.ActivityPublishEvents:      s.NATS.PublishEvents,
		contract.ActivityCloseDeliberation:  s.CloseDeliberation,
		contract.ActivityCountDeliberations: s.Visibility.CountDeliberations,
	} {
		to.RegisterActivityWithOptions(does, activity.RegisterOptions{Name: name})
	}
}

// SubmitTurns submits turns, unless a reply says otherwise. If they are accepted, NATS stores the events. The real
// activity doesn't wait for a NATS that is slow.
func (s Services) SubmitTurns(ctx context.Context, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	said := s.Ray.submit(in)
	return give(ctx, s.NATS.clock, said, func(out *contract.SubmitTurnsResult) {
		if said.Err == nil && out.Refusal == "" && len(in.Events) > 0 {
			stored := s.NATS.publish(contract.PublishEventsInput{Events: in.Events})
			out.Announced = stored.Err == nil && stored.Delay == 0
		}
	})
}

// CloseDeliberation lets NATS store the last events and Ray forget its outcomes. It waits for NATS as long as the real
// activity does.
func (s Services) CloseDeliberation(ctx context.Context, in contract.CloseDeliberationInput) (contract.CloseDeliberationResult, error) {
	s.Ray.forget(in.Forget)
	said := Reply[contract.CloseDeliberationResult]{Value: contract.CloseDeliberationResult{Stored: len(in.Events)}}
	if len(in.Events) > 0 {
		stored := s.NATS.publish(contract.PublishEventsInput{TaskDescription: in.TaskDescription, Events: in.Events})
		said.Delay = min(stored.Delay, workflows.CloseTries)
		if stored.Err != nil || said.Delay < stored.Delay {
			said.Value = contract.CloseDeliberationResult{EventsError: "JetStream doesn't answer"}
		}
	}
	return give(ctx, s.NATS.clock, said, nothing)
}

// NATS keeps each event once, by its id, as JetStream does within its duplicate window.
type NATS struct {
	clock
	mu sync.Mutex

	ReplyTo func(call int) Reply[contract.PublishEventsResult] // if nil, events are stored immediately

	Inputs []contract.PublishEventsInput
	Stored []contract.EventRecord

	ids map[string]bool
}

// PublishEvents stores events, unless a reply says otherwise.
func (f *NATS) PublishEvents(ctx context.Context, in contract.PublishEventsInput) (contract.PublishEventsResult, error) {
	return give(ctx, f.clock, f.publish(in), nothing)
}

func (f *NATS) publish(in contract.PublishEventsInput) Reply[contract.PublishEventsResult] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Inputs = append(f.Inputs, in)
	said := Reply[contract.PublishEventsResult]{Value: contract.PublishEventsResult{Stored: len(in.Events)}}
	if f.ReplyTo != nil {
		said = f.ReplyTo(len(f.Inputs))
	}
	if said.Err == nil && said.Delay != Forever {
		for _, event := range in.Events {
			if !f.ids[event.ID] {
				f.ids[event.ID] = true
				f.Stored = append(f.Stored, event)
			}
		}
	}
	return said
}

// Kinds returns the kinds of the stored events, in order.
func (f *NATS) Kinds() []domain.EventKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	return KindsOf(f.Stored)
}

// KindsOf returns the kinds of events, in order.
func KindsOf(events []contract.EventRecord) []domain.EventKind {
	return domain.Each(events, func(event contract.EventRecord) domain.EventKind { return event.Kind })
}

// Visibility answers counts.
type Visibility struct {
	clock
	mu sync.Mutex

	Replies []Reply[contract.CountResult] // in order; the last one repeats

	Asked []contract.CountInput
}

// CountDeliberations gives the next reply.
func (f *Visibility) CountDeliberations(ctx context.Context, in contract.CountInput) (contract.CountResult, error) {
	f.mu.Lock()
	f.Asked = append(f.Asked, in)
	said := f.Replies[min(len(f.Asked), len(f.Replies))-1]
	f.mu.Unlock()
	return give(ctx, f.clock, said, nothing)
}
