package nats_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/freeport"
)

func TestStreams_AreMadeWhereThereAreNone(t *testing.T) {
	_, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, append(run(), news(9, domain.EventStreamStart))))

	events := configOf(t, js, "DELIBERATION_EVENTS")
	require.Equal(t, []string{"deliberation.events.>"}, events.Subjects)
	require.Equal(t, jetstream.FileStorage, events.Storage)
	require.Equal(t, jetstream.DiscardOld, events.Discard)
	require.Equal(t, time.Hour, events.Duplicates)
	require.Equal(t, 30*24*time.Hour, events.MaxAge)

	tokens := configOf(t, js, "DELIBERATION_TOKENS")
	require.Equal(t, []string{"deliberation.tokens.>"}, tokens.Subjects)
	require.Equal(t, jetstream.MemoryStorage, tokens.Storage)
	require.Equal(t, jetstream.DiscardOld, tokens.Discard)
	require.Equal(t, 15*time.Minute, tokens.MaxAge)
	require.Positive(t, tokens.MaxBytes)
}

func TestStreams_AreNamedAfterThePrefix(t *testing.T) {
	srv := serve(t, options(t, nil))
	publisher, js := connect(t, nats.Config{URL: srv.ClientURL(), Prefix: "acme.test-1"}), operator(t, srv.ClientURL())
	require.NoError(t, publish(t.Context(), publisher, run()))
	require.Equal(t, "acme.test-1.events.d-1.started", stored(t, js, "ACME_TEST-1_EVENTS")[0].Subject)
}

func TestStreams_OfAnOperatorAreUsedAsTheyAre(t *testing.T) {
	for name, config := range map[string]jetstream.StreamConfig{
		"another name": {Name: "ALL", Subjects: []string{"deliberation.>"}, MaxMsgs: 1000, Storage: jetstream.MemoryStorage},
		"our name":     {Name: "DELIBERATION_EVENTS", Subjects: []string{"deliberation.>"}, Duplicates: time.Minute, MaxAge: time.Hour},
		"every event":  {Name: "DELIBERATION_EVENTS", Subjects: []string{"deliberation.events.*.*", "deliberation.tokens.*.*"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, publisher, js := started(t)
			_, err := js.CreateStream(t.Context(), config)
			require.NoError(t, err)
			before := configOf(t, js, config.Name)

			require.NoError(t, publish(t.Context(), publisher, append(run(), news(5, domain.EventStreamStart))))

			require.Equal(t, before, configOf(t, js, config.Name))
			require.Equal(t, []int{1, 2, 3, 4, 5}, numbers(t, js, config.Name))
			require.Equal(t, []string{config.Name}, streams(t, js))
		})
	}
}

func TestStreams_OfAnOperatorInTheWayAreNamedAndLeftAlone(t *testing.T) {
	t.Parallel()
	_, publisher, js := started(t)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "DELIBERATION_EVENTS", Subjects: []string{"other"}})
	require.NoError(t, err)
	before := configOf(t, js, "DELIBERATION_EVENTS")

	err = publish(t.Context(), publisher, run())
	requireNotStored(t, err)
	require.ErrorContains(t, err, "no response from stream; no stream created")
	require.ErrorContains(t, err, "stream name already in use")
	require.Equal(t, before, configOf(t, js, "DELIBERATION_EVENTS"))
}

func TestStreams_AreMadeThoughASubscriberHidesTheirAbsence(t *testing.T) {
	t.Parallel()
	srv, publisher, js := started(t)
	silence(t, srv.ClientURL(), "deliberation.events.>")
	require.NoError(t, publish(t.Context(), publisher, run()))
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, js, "DELIBERATION_EVENTS"))
}

func TestStreams_AreMadeAgainWhenDeleted(t *testing.T) {
	_, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, run()[:2]))
	require.NoError(t, js.DeleteStream(t.Context(), "DELIBERATION_EVENTS"))
	require.NoError(t, publish(t.Context(), publisher, run()[2:]))
	require.Equal(t, []int{3, 4}, numbers(t, js, "DELIBERATION_EVENTS"))
}

func TestStreams_AreWaitedForWhileTheServerHasNoJetStream(t *testing.T) {
	t.Parallel()
	opts := options(t, func(o *server.Options) { o.JetStream, o.Port = false, freeport.Find(t) })
	srv := serve(t, opts)
	publisher := connect(t, nats.Config{URL: srv.ClientURL()})
	begun := time.Now()
	requireNotStored(t, publish(t.Context(), publisher, run()))
	require.Less(t, time.Since(begun), 3*time.Second)

	require.NoError(t, srv.EnableJetStream(&server.JetStreamConfig{StoreDir: t.TempDir(), MaxMemory: 1 << 28, MaxStore: 1 << 28}))
	require.NoError(t, publish(t.Context(), publisher, run()))
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, operator(t, srv.ClientURL()), "DELIBERATION_EVENTS"))
}

// publishOnly is a user who may only publish events and receive the answers.
func publishOnly(o *server.Options) {
	allowed := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"deliberation.events.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	}
	o.Users = []*server.User{
		{Username: "worker", Password: "w", Permissions: allowed}, {Username: "operator", Password: "o"},
	}
}

func TestStreams_NeedNoPermissionWhenTheyExist(t *testing.T) {
	t.Parallel()
	srv := serve(t, options(t, publishOnly))
	publisher, js := connect(t, nats.Config{URL: as("worker", "w", srv)}), operator(t, as("operator", "o", srv))

	err := publish(t.Context(), publisher, run())
	requireNotStored(t, err)
	require.ErrorContains(t, err, "no response from stream; no stream created")
	require.ErrorContains(t, err, `Permissions Violation for Publish to "$JS.API.STREAM.CREATE.DELIBERATION_EVENTS"`)

	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "MINE", Subjects: []string{"deliberation.>"}})
	require.NoError(t, err)
	begun := time.Now()
	require.NoError(t, publish(t.Context(), publisher, append(run(), news(5, domain.EventStreamStart))))
	require.Less(t, time.Since(begun), 5*time.Second, "what may not be published to tokens must not hold up the rest")
	require.Equal(t, []int{1, 2, 3, 4}, numbers(t, js, "MINE"))
}

func configOf(t *testing.T, js jetstream.JetStream, name string) jetstream.StreamConfig {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	return stream.CachedInfo().Config
}

func streams(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	names := []string{}
	for name := range js.StreamNames(t.Context()).Name() {
		names = append(names, name)
	}
	return names
}
