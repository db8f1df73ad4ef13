package activities

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// publishesAtOnce keeps some activity slots free for stops while JetStream doesn't answer.
	publishesAtOnce = 200
	// publishGroup is how many events are stored between two heartbeats: a retry continues after the last one.
	publishGroup = 4
	// publishSpare is the time that an attempt leaves unused, so that its result and its heartbeat arrive.
	publishSpare = 2 * time.Second
	// publisherLate is how long after the end of its time a publisher may answer.
	publisherLate = 10 * time.Millisecond
)

// publishEvents stores events in order. A retry continues after the events that are known to be stored, and publishes
// the others again under the same ids.
func (s set) publishEvents(ctx context.Context, in contract.PublishEventsInput) (contract.PublishEventsResult, error) {
	var none contract.PublishEventsResult
	events, err := eventsOf(in.Events, in.TaskDescription)
	if err != nil {
		return none, err
	}
	limited, cancel := withSpare(ctx)
	defer cancel()
	stored := 0
	resume(ctx, &stored)
	for stored = min(stored, len(events)); stored < len(events); {
		group := nextGroup(events[stored:])
		if err := s.publish(limited, group); err != nil {
			if limited.Err() != nil && ctx.Err() == nil {
				err = notPublished("JetStream takes long: "+domain.Count(stored, "event")+" stored so far", 0)
			}
			return none, err
		}
		stored += len(group)
		if stored < len(events) { // each heartbeat is a write of Temporal, and the last group needs none
			activity.RecordHeartbeat(ctx, stored)
		}
	}
	return contract.PublishEventsResult{Stored: stored}, nil
}

// publish lets the publisher store events. It doesn't wait for the publisher beyond the end of its context: a client
// whose connection is stalled holds its callers up for longer. It turns a panic into an error. Neither may cost a result.
// A publisher that is held up keeps its slot, so that there are never many of them.
func (s set) publish(ctx context.Context, events []domain.Event) error {
	leave, err := s.enterPublisher()
	if err != nil {
		return err
	}
	published := make(chan error, 1)
	go func() {
		defer leave()
		published <- s.publishSafely(ctx, events)
	}()
	select {
	case err := <-published:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-published: // it may have ended at the same time
		return err
	case <-time.After(publisherLate):
		return ctx.Err()
	}
}

func (s set) publishSafely(ctx context.Context, events []domain.Event) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			activity.GetLogger(ctx).Error("the publisher panicked", "cause", cause, "stack", string(debug.Stack()))
			err = notPublished("the publisher panicked", 0)
		}
	}()
	published, err := s.Publisher.Publish(ctx, events)
	measureEvents(ctx, published)
	return err
}

// enterPublisher takes one of the publishing slots. Call leave to give it back.
func (s set) enterPublisher() (leave func(), err error) {
	if s.Publisher == nil {
		return nil, notPublished("this worker has no NATS_URL", 0)
	}
	select {
	case s.publishing <- struct{}{}:
		return func() { <-s.publishing }, nil
	default:
		return nil, notPublished("too many wait for JetStream at the same time", 5*time.Second)
	}
}

func notPublished(why string, after time.Duration) error {
	return &domain.Error{Kind: domain.KindPublish, Op: "publish", RetryAfter: after, Err: errors.New(why)}
}

func withSpare(ctx context.Context) (context.Context, context.CancelFunc) {
	if until, limited := ctx.Deadline(); limited {
		return context.WithDeadline(ctx, until.Add(-publishSpare))
	}
	return context.WithCancel(ctx)
}

// nextGroup returns the next events to publish. Best-effort ones don't count, since they cost little.
func nextGroup(events []domain.Event) []domain.Event {
	counted := 0
	for i, event := range events {
		if !event.Kind.BestEffort() {
			counted++
		}
		if counted > publishGroup {
			return events[:i]
		}
	}
	return events
}

func eventsOf(records []contract.EventRecord, description string) ([]domain.Event, error) {
	events := make([]domain.Event, 0, len(records))
	for _, record := range records {
		var err error
		if record.Data, err = eventData(record, description); err != nil {
			return nil, err
		}
		events = append(events, domain.Event{
			ID: record.ID, Kind: record.Kind, DeliberationID: record.DeliberationID,
			AgentID: record.AgentID, At: record.At, Data: record.Data, ShortForm: record.ShortForm().Data,
		})
	}
	return events, nil
}

// eventData puts the task's description back into the events that show it: it travels once per batch.
func eventData(record contract.EventRecord, description string) ([]byte, error) {
	if record.Kind != domain.EventStreamStart {
		return record.Data, nil
	}
	var data contract.StreamStartEvent
	if err := json.Unmarshal(record.Data, &data); err != nil {
		return nil, err
	}
	data.TaskDescription = description
	return json.Marshal(data)
}
