package activities_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func tryClose(w *testWorker, in contract.CloseDeliberationInput) (contract.CloseDeliberationResult, error) {
	w.t.Helper()
	return try[contract.CloseDeliberationResult](w, workflows.CloseDeliberation.Name(), in)
}

func ending() contract.CloseDeliberationInput {
	events := twoEvents()
	return contract.CloseDeliberationInput{
		DeliberationID: "deliberation-T-42", TaskDescription: events.TaskDescription, Events: events.Events, Forget: at("local", "t1"),
	}
}

func TestCloseDeliberation_StoresTheLastEventsAndForgetsWhatIsInHistory(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	w.ray.becomes(completed("t1", "text"))

	out, err := tryClose(w, ending())

	require.NoError(t, err)
	require.Equal(t, contract.CloseDeliberationResult{Stored: 2}, out)
	require.Len(t, events.stored, 2)
	require.Contains(t, string(events.stored[1].Data), "task_description")
	require.Len(t, w.ray.forgotten, 1)
	require.True(t, w.ray.buried["t1"])
}

func TestCloseDeliberation_ForgetsWhereNoEventIsStored(t *testing.T) {
	w := newTestWorker(t)
	w.with.Publisher = &fakeEvents{err: &domain.Error{Kind: domain.KindPublish, Op: "publish", Err: errors.New("no responders")}}

	out, err := tryClose(w, ending())

	require.NoError(t, err, "what isn't stored is the outbox's")
	require.Equal(t, contract.CloseDeliberationResult{EventsError: "publish: no responders"}, out)
	require.Len(t, w.ray.forgotten, 1)
}

func TestCloseDeliberation_StoresWhereNothingIsForgotten(t *testing.T) {
	w := newTestWorker(t)
	w.with.Publisher = &fakeEvents{}
	in := ending()
	in.Forget = at("elsewhere", "t1")

	out, err := tryClose(w, in)

	require.NoError(t, err, "keep_seconds drops it")
	require.Equal(t, contract.CloseDeliberationResult{Stored: 2}, out)
}

func TestCloseDeliberation_WaitsForNobodyForLong(t *testing.T) {
	for name, publisher := range map[string]func(stuck stuckEvents) domain.EventPublisher{
		"NATS never answers":     func(stuckEvents) domain.EventPublisher { return hungEvents{} },
		"the publisher is stuck": func(stuck stuckEvents) domain.EventPublisher { return stuck },
		"the publisher panics":   func(stuckEvents) domain.EventPublisher { return brokenEvents{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				stuck := make(stuckEvents)
				defer close(stuck)
				w.with.Publisher = publisher(stuck)
				begin := time.Now()

				out, err := tryClose(w, ending())

				require.NoError(t, err)
				require.Less(t, time.Since(begin), workflows.CloseTries+100*time.Millisecond)
				require.Zero(t, out.Stored)
				require.NotEmpty(t, out.EventsError)
				require.Len(t, w.ray.forgotten, 1)
			})
		})
	}
}

// hungEvents is a JetStream that never answers.
type hungEvents struct{}

func (hungEvents) Publish(ctx context.Context, _ []domain.Event) (domain.Publication, error) {
	<-ctx.Done()
	return domain.Publication{}, ctx.Err()
}
