package activities_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// announcing is a submit of the test environment's run that carries the events of its phase.
func announcing(t *testing.T, patience time.Duration) contract.SubmitTurnsInput {
	t.Helper()
	in := submission(t, patience)
	in.Events = twoEvents().Events
	phase := in.Events[0]
	phase.Kind = domain.EventPhaseStarted
	in.Events = slices.Concat([]contract.EventRecord{phase}, in.Events, []contract.EventRecord{phase})
	for i := range in.Events {
		in.Events[i].ID = domain.EventID(in.DeliberationID, environmentRun, i+1, in.Events[i].Kind)
	}
	return in
}

// environmentRun is the run of the SDK's test environment for activities.
const environmentRun = "default-test-run-id"

func TestSubmitTurns_PublishesItsEventsOnceTheTurnsAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		events := &fakeEvents{}
		w.with.Publisher = events
		w.ray.refusals = []error{full(3 * time.Second)}
		in := announcing(t, time.Hour)
		before := in.Events[0].At

		out, err := trySubmit(w, in)

		require.NoError(t, err)
		require.True(t, out.Announced)
		require.Len(t, events.stored, 4)
		require.Equal(t, before, events.stored[0].At, "an earlier phase, which Ray refused")
		require.Equal(t, before, events.stored[1].At, "the run started before")
		require.Equal(t, time.Now().UTC(), events.stored[2].At, "a stream starts with the acceptance")
		require.Equal(t, time.Now().UTC(), events.stored[3].At, "and so does the phase")
		require.Contains(t, string(events.stored[2].Data), `"task_description":"`+in.Brief.Request.TaskDescription)
	})
}

func TestSubmitTurns_PublishesNothingWithoutAcceptance(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	w.ray.refusals = []error{full(0)}

	out, err := trySubmit(w, announcing(t, -time.Hour))

	require.NoError(t, err)
	require.NotEmpty(t, out.Refusal)
	require.False(t, out.Announced)
	require.Empty(t, events.stored)
}

func TestSubmitTurns_PublishesNothingForTurnsThatWereStoppedBefore(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	in := announcing(t, time.Hour)
	for _, turn := range in.Turns {
		w.ray.buried[turn.TurnID] = true
	}

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Len(t, out.Cancelled, 2)
	require.False(t, out.Announced)
	require.Empty(t, events.stored, "the run may have ended and said so")
}

func TestSubmitTurns_LeavesTheEventsOfAnotherRunToTheWorkflow(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	in := announcing(t, time.Hour)
	in.Events[0].ID = domain.EventID(in.DeliberationID, "the-run-before-the-reset", 1, domain.EventStarted)

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Len(t, out.Handles, 2)
	require.False(t, out.Announced)
	require.Empty(t, events.stored)
}

func TestSubmitTurns_DoesNotWaitForNATSWhenItsWorkerStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.with.Publisher = hungEvents{}
		begun := time.Now()
		time.AfterFunc(50*time.Millisecond, func() { close(w.stopWorker) })

		out, err := trySubmit(w, announcing(t, time.Hour))

		require.NoError(t, err)
		require.Len(t, out.Handles, 2, "no other worker needs to submit them again")
		require.Equal(t, 50*time.Millisecond, time.Since(begun))
	})
}

func TestSubmitTurns_LeavesEventsThatAreNotStoredToTheWorkflow(t *testing.T) {
	for name, publisher := range map[string]domain.EventPublisher{
		"NATS is away":          &fakeEvents{err: errors.New("no servers available")},
		"NATS never answers":    hungEvents{},
		"NATS drops the last":   slowEvents{},
		"the publisher panics":  brokenEvents{},
		"the worker has no URL": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				w.with.Publisher = publisher
				begun := time.Now()

				out, err := trySubmit(w, announcing(t, time.Hour))

				require.NoError(t, err)
				require.Len(t, out.Handles, 2, "the turns run all the same")
				require.False(t, out.Announced)
				require.LessOrEqual(t, time.Since(begun), 250*time.Millisecond)
			})
		})
	}
}

// slowEvents is a JetStream that answers too late for the last event, which may be dropped.
type slowEvents struct{}

func (slowEvents) Publish(ctx context.Context, events []domain.Event) (domain.Publication, error) {
	<-ctx.Done()
	return domain.Publication{Stored: len(events) - 1, Dropped: 1}, nil
}

// brokenEvents is a publisher with a fault of its own.
type brokenEvents struct{}

func (brokenEvents) Publish(context.Context, []domain.Event) (domain.Publication, error) {
	panic("no such stream")
}

// stuckEvents is a client whose connection is stalled until the channel is closed. It doesn't notice the end of its
// context.
type stuckEvents chan struct{}

func (s stuckEvents) Publish(ctx context.Context, _ []domain.Event) (domain.Publication, error) {
	<-s
	return domain.Publication{}, ctx.Err()
}

func TestSubmitTurns_DoesNotWaitForAStuckPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		stuck := make(stuckEvents)
		defer close(stuck)
		w.with.Publisher = stuck
		begun := time.Now()

		out, err := trySubmit(w, announcing(t, time.Hour))

		require.NoError(t, err)
		require.Len(t, out.Handles, 2)
		require.False(t, out.Announced)
		require.Less(t, time.Since(begun), 300*time.Millisecond)
	})
}
