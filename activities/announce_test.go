package activities_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// announcing is a submit that carries the events of its phase.
func announcing(t *testing.T, patience time.Duration) contract.SubmitTurnsInput {
	t.Helper()
	in := submission(t, patience)
	in.Events = twoEvents().Events
	return in
}

func TestSubmitTurns_PublishesItsEventsOnceTheTurnsAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		events := &fakeEvents{}
		w.with.Publisher = events
		w.ray.refusals = []error{full(3 * time.Second)}
		in := announcing(t, time.Hour)

		out, err := trySubmit(w, in)

		require.NoError(t, err)
		require.True(t, out.Announced)
		require.Len(t, events.stored, 2)
		require.Equal(t, in.Events[0].At, events.stored[0].At, "the run started before")
		require.Equal(t, time.Now().UTC(), events.stored[1].At, "a stream starts with the acceptance")
		require.Contains(t, string(events.stored[1].Data), `"task_description":"`+in.Brief.Request.TaskDescription)
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

func TestSubmitTurns_LeavesEventsThatAreNotStoredToTheWorkflow(t *testing.T) {
	for name, publisher := range map[string]domain.EventPublisher{
		"NATS is away":          &fakeEvents{err: errors.New("no servers available")},
		"NATS never answers":    hungEvents{},
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
