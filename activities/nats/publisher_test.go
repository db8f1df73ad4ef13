package nats_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
)

func TestPublish_StoresEventsInOrderUnderTheirSubjects(t *testing.T) {
	_, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, run()))

	messages := stored(t, js, "DELIBERATION_EVENTS")
	require.Len(t, messages, 4)
	for i, want := range run() {
		got := messages[i]
		require.Equal(t, "deliberation.events.d-1."+string(want.Kind), got.Subject)
		require.Equal(t, want.ID, got.Header.Get("Nats-Msg-Id"))
		require.Equal(t, "application/cloudevents+json; charset=utf-8", got.Header.Get("Content-Type"))
		var decoded event.Event
		require.NoError(t, json.Unmarshal(got.Data, &decoded))
		require.NoError(t, decoded.Validate())
		require.Equal(t, want.ID, decoded.ID())
		require.JSONEq(t, string(want.Data), string(decoded.Data()))
	}
}

func TestPublish_StoresARepeatedBatchOnce(t *testing.T) {
	_, publisher, js := started(t)
	for _, want := range []domain.Publication{{Stored: 2}, {Stored: 2, Duplicate: 2}, {Duplicate: 4}} {
		batch := run()[:want.Stored+want.Duplicate]
		came, err := publisher.Publish(t.Context(), batch)
		require.NoError(t, err)
		require.Equal(t, want, came)
	}
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, js, "DELIBERATION_EVENTS"))
}

func TestPublish_KeepsTheOrderOfALongBatch(t *testing.T) {
	_, publisher, js := started(t)
	events, want := []domain.Event{}, []int{}
	for i := 1; i <= 200; i++ {
		events, want = append(events, news(i, domain.EventAgentCompleted)), append(want, i)
	}
	require.NoError(t, publish(t.Context(), publisher, events))
	require.Equal(t, want, numbers(t, js, "DELIBERATION_EVENTS"))
}

func TestPublish_GoesOnInOrderOnceAFullStreamHasRoom(t *testing.T) {
	_, publisher, js := started(t)
	config := jetstream.StreamConfig{
		Name: "OURS", Subjects: []string{"deliberation.events.>"}, Discard: jetstream.DiscardNew, MaxMsgs: 2,
	}
	_, err := js.CreateStream(t.Context(), config)
	require.NoError(t, err)

	err = publish(t.Context(), publisher, run())
	requireNotStored(t, err)
	require.ErrorContains(t, err, "maximum messages exceeded")
	_, trouble := publisher.Status()
	require.ErrorContains(t, trouble, "maximum messages exceeded")

	config.MaxMsgs = 10
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	require.NoError(t, publish(t.Context(), publisher, run()))
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, js, "OURS"))
	_, trouble = publisher.Status()
	require.NoError(t, trouble)
}

func TestPublish_EndsWithItsContext(t *testing.T) {
	_, publisher, js := started(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, publish(ctx, publisher, run()), context.Canceled)
	require.ErrorIs(t, publish(ctx, publisher, []domain.Event{news(1, domain.EventStreamStart)}), context.Canceled)
	_, err := js.Stream(t.Context(), "DELIBERATION_EVENTS")
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
}

func TestPublish_ReturnsItsContextsErrorWhileNobodyAnswers(t *testing.T) {
	srv, publisher, _ := started(t)
	silence(t, srv.ClientURL(), "deliberation.events.>")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, publish(ctx, publisher, run()))
}

func TestPublish_SparesBestEffortEventsNoTimeOnARefusal(t *testing.T) {
	t.Parallel()
	srv := serve(t, options(t, func(o *server.Options) { o.JetStreamMaxMemory = 1 << 20 })) // too little for ours
	publisher, js := connect(t, nats.Config{URL: srv.ClientURL()}), operator(t, srv.ClientURL())
	creations := silence(t, srv.ClientURL(), "$JS.API.STREAM.CREATE.DELIBERATION_TOKENS")
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(1, domain.EventStarted)}), "the stream is there")
	var events []domain.Event
	for i := 2; i < 40; i++ {
		events = append(events, news(i, domain.EventStreamStart))
	}
	events = append(events, news(40, domain.EventCompleted))

	begun := time.Now()
	came, err := publisher.Publish(t.Context(), events)
	require.NoError(t, err)
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Equal(t, domain.Publication{Stored: 1, Dropped: 38}, came)
	require.Equal(t, []int{1, 40}, numbers(t, js, "DELIBERATION_EVENTS"))
	require.Equal(t, 1, creations(), "a refusal is meant for the siblings too")
	_, err = js.Stream(t.Context(), "DELIBERATION_TOKENS")
	require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
}

func TestPublish_WaitsNoLongerThanASecondForBestEffortEvents(t *testing.T) {
	t.Parallel()
	_, publisher, js := started(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "X", Subjects: []string{"deliberation.tokens.>"}, NoAck: true})
	require.NoError(t, err)

	require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(0, domain.EventStarted)}), "the stream is there")

	begun := time.Now()
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{
		news(1, domain.EventStreamStart), news(2, domain.EventStreamStart), news(3, domain.EventCompleted),
	}))
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Equal(t, []int{0, 3}, numbers(t, js, "DELIBERATION_EVENTS"))
}

func TestPublish_ShowsWatchersThatAStreamBegins(t *testing.T) {
	_, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(1, domain.EventStreamStart)}))
	require.Equal(t, []int{1}, numbers(t, js, "DELIBERATION_TOKENS"))
	require.Equal(t, "deliberation.tokens.d-1.qa", stored(t, js, "DELIBERATION_TOKENS")[0].Subject)
}

func TestPublish_StoresTheLongestIDs(t *testing.T) {
	_, publisher, js := started(t)
	event := news(1, domain.EventCompleted)
	event.DeliberationID, event.AgentID = strings.Repeat("é", 500), strings.Repeat("é", 100)
	event.ID = domain.EventID(event.DeliberationID, "run", 1, event.Kind)
	token := event
	token.Kind, token.ID = domain.EventStreamStart, event.ID+"2"
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{event, token}))
	require.Len(t, stored(t, js, "DELIBERATION_EVENTS"), 1)
	require.Len(t, stored(t, js, "DELIBERATION_TOKENS"), 1)
}

func TestPublish_StoresTheLongestIDsUnderTheLongestPrefixes(t *testing.T) {
	t.Parallel()
	prefix := strings.Repeat("p", 200)
	srv := serve(t, options(t, nil))
	publisher, js := connect(t, nats.Config{URL: srv.ClientURL(), Prefix: prefix, InboxPrefix: strings.Repeat("i", 200)}), operator(t, srv.ClientURL())
	event := news(1, domain.EventStreamStart)
	event.DeliberationID, event.AgentID = strings.Repeat("é", 500), strings.Repeat("é", 100)
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{event}))
	require.Len(t, stored(t, js, strings.ToUpper(prefix)+"_TOKENS"), 1)
}

// A server ends the connection at a subject beyond its max_control_line.
func TestPublish_SkipsIDsThatNoSubjectHasRoomFor(t *testing.T) {
	t.Parallel()
	_, publisher, js := started(t)
	long := news(2, domain.EventCompleted)
	long.DeliberationID = strings.Repeat("é", 1000)
	came, err := publisher.Publish(t.Context(), []domain.Event{news(1, domain.EventStarted), long, news(3, domain.EventCompleted)})
	require.NoError(t, err)
	require.Equal(t, domain.Publication{Stored: 2, Dropped: 1}, came)
	require.Equal(t, []int{1, 3}, numbers(t, js, "DELIBERATION_EVENTS"))
	_, trouble := publisher.Status()
	require.NoError(t, trouble, "the connection was never lost")
}
