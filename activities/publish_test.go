package activities_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func tryPublish(w *testWorker, in contract.PublishEventsInput) (contract.PublishEventsResult, error) {
	w.t.Helper()
	return try[contract.PublishEventsResult](w, workflows.PublishEvents.Name(), in)
}

func twoEvents() contract.PublishEventsInput {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return contract.PublishEventsInput{TaskDescription: "Add <rate> limiting", Events: []contract.EventRecord{
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
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	in := twoEvents()

	out, err := tryPublish(w, in)

	require.NoError(t, err)
	require.Equal(t, 2, out.Stored)
	require.Len(t, events.stored, 2)
	started, stream := events.stored[0], events.stored[1]
	require.Equal(t, domain.Event{
		ID: "d/r/1-started", Kind: domain.EventStarted, DeliberationID: "d", At: in.Events[0].At,
		Data: in.Events[0].Data, ShortForm: in.Events[0].Data,
	}, started)
	require.Equal(t, "dev-1", stream.AgentID)
	require.JSONEq(t, `{"task_description":"Add <rate> limiting","role":"DEV","status":"streaming","model":"m",
		"deliberation_id":"d","agent_id":"dev-1"}`, string(stream.Data))
}

func TestPublishEvents_HasABriefFormForReceiversThatTakeNoMore(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events
	in := twoEvents()
	in.TaskDescription = strings.Repeat("long ", 1000)

	_, err := tryPublish(w, in)

	require.NoError(t, err)
	stream := events.stored[1]
	require.Contains(t, string(stream.Data), in.TaskDescription)
	require.JSONEq(t, `{"role":"DEV","status":"streaming","model":"m","deliberation_id":"d","agent_id":"dev-1",
		"omitted":["task_description"],"result_ref":{"workflow_id":"d","run_id":"r"}}`, string(stream.ShortForm))
}

func manyEvents(stored, offered int) contract.PublishEventsInput {
	var in contract.PublishEventsInput
	for i := range offered {
		in.Events = append(in.Events, contract.EventRecord{ID: fmt.Sprintf("offer-%d", i), Kind: domain.EventStreamStart, Data: []byte(`{}`)})
	}
	for i := range stored {
		in.Events = append(in.Events, contract.EventRecord{ID: fmt.Sprintf("event-%d", i), Kind: domain.EventAgentCompleted, Data: []byte(`{}`)})
	}
	return in
}

func TestPublishEvents_GoesOnAfterWhatAnEarlierTryStored(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher, w.before = events, 8

	out, err := tryPublish(w, manyEvents(10, 0))

	require.NoError(t, err)
	require.Equal(t, 10, out.Stored)
	require.Len(t, events.stored, 2)
	require.Equal(t, "event-8", events.stored[0].ID)
}

func TestPublishEvents_NotesWhatIsStoredAndOffersWhatCostsNothingTogether(t *testing.T) {
	w := newTestWorker(t)
	events := &fakeEvents{}
	w.with.Publisher = events

	_, err := tryPublish(w, manyEvents(9, 64))

	require.NoError(t, err)
	require.Len(t, events.stored, 73)
	require.Equal(t, []any{68, 72}, w.beats.Recorded, "none after the last group, since each is a write of Temporal")
}

func TestPublishEvents_LeavesThemToAWorkerThatHasNATS(t *testing.T) {
	_, err := tryPublish(newTestWorker(t), twoEvents())

	failed := failure(t, err)
	require.Equal(t, string(domain.KindPublish), failed.Type())
	require.False(t, failed.NonRetryable())
	require.Contains(t, failed.Message(), "NATS_URL")
}

func TestPublishEvents_IsTriedAgainWhenTheyAreNotStored(t *testing.T) {
	w := newTestWorker(t)
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
