package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

func tryPublish(w *world, in workflows.PublishEventsInput) (workflows.PublishEventsResult, error) {
	w.t.Helper()
	return try[workflows.PublishEventsResult](w, workflows.PublishEvents.Name(), in)
}

func twoEvents() workflows.PublishEventsInput {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return workflows.PublishEventsInput{TaskDescription: "Add <rate> limiting", Events: []workflows.EventRecord{
		{
			ID: "d/r/1-started", Kind: domain.EventStarted, DeliberationID: "d", At: at,
			Data: []byte(`{"task_id":"T-42","from_a_newer_version":1}`),
		},
		{
			ID: "d/r/2-stream_start", Kind: domain.EventStreamStart, DeliberationID: "d", AgentID: "dev-1", At: at,
			Data: []byte(`{"role":"DEV","status":"streaming","model":"m","deliberation_id":"d","agent_id":"dev-1"}`),
		},
	}}
}

func TestPublishEvents_StoresThemInOrderAndPutsTheDescriptionWhereItIsShown(t *testing.T) {
	w := newWorld(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	in := twoEvents()

	out, err := tryPublish(w, in)

	require.NoError(t, err)
	require.Equal(t, 2, out.Stored)
	require.Len(t, events.stored, 2)
	started, stream := events.stored[0], events.stored[1]
	require.Equal(t, domain.Event{
		ID: "d/r/1-started", Kind: domain.EventStarted, DeliberationID: "d", At: in.Events[0].At, Data: in.Events[0].Data,
	}, started)
	require.Equal(t, "dev-1", stream.AgentID)
	require.JSONEq(t, `{"task_description":"Add <rate> limiting","role":"DEV","status":"streaming","model":"m",
		"deliberation_id":"d","agent_id":"dev-1"}`, string(stream.Data))
}

func TestPublishEvents_LeavesThemToAWorkerThatHasNATS(t *testing.T) {
	_, err := tryPublish(newWorld(t), twoEvents())

	failed := failure(t, err)
	require.Equal(t, string(domain.KindPublish), failed.Type())
	require.False(t, failed.NonRetryable())
	require.Contains(t, failed.Message(), "NATS_URL")
}

func TestPublishEvents_IsTriedAgainWhenTheyAreNotStored(t *testing.T) {
	w := newWorld(t)
	w.with.Publisher = &fakeEvents{err: &domain.Error{
		Kind: domain.KindPublish, Op: "publish", RetryAfter: time.Second, Err: errors.New("no responders"),
	}}

	_, err := tryPublish(w, twoEvents())

	failed := failure(t, err)
	require.Equal(t, string(domain.KindPublish), failed.Type())
	require.False(t, failed.NonRetryable())
	require.Equal(t, time.Second, failed.NextRetryDelay())
	require.Equal(t, "publish: no responders", failed.Message())
}
