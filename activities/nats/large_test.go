package nats_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// large is an event with a text of 64 KiB, between two small events.
func large(t *testing.T) []domain.Event {
	t.Helper()
	var completed contract.AgentCompletedEvent
	for _, p := range payloads() {
		if p.kind == domain.EventAgentCompleted {
			completed = p.data.(contract.AgentCompletedEvent)
		}
	}
	completed.Proposal = strings.Repeat("confidential ", 5000)
	middle := payload{kind: domain.EventAgentCompleted, data: completed}.event(t, 2)
	return []domain.Event{news(1, domain.EventStarted), middle, news(3, domain.EventCompleted)}
}

func TestPublish_ShortensWhatIsTooLarge(t *testing.T) {
	for name, test := range map[string]struct {
		server func(*server.Options)
		stream jetstream.StreamConfig
	}{
		"for the server": {server: func(o *server.Options) { o.MaxPayload = 8 << 10 }},
		"for the stream": {stream: jetstream.StreamConfig{MaxMsgSize: 8 << 10}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, options(t, test.server))
			publisher, js := connect(t, nats.Config{URL: srv.ClientURL()}), operator(t, srv.ClientURL())
			test.stream.Name, test.stream.Subjects = "OURS", []string{"deliberation.events.>"}
			_, err := js.CreateStream(t.Context(), test.stream)
			require.NoError(t, err)

			require.NoError(t, publish(t.Context(), publisher, large(t)))
			require.NoError(t, publish(t.Context(), publisher, large(t)))

			messages := stored(t, js, "OURS")
			require.Len(t, messages, 3)
			require.Equal(t, large(t)[1].ID, messages[1].Header.Get("Nats-Msg-Id"))
			requireGolden(t, "agent_completed_reduced.json", messages[1].Data)
			_, trouble := publisher.Status()
			require.NoError(t, trouble)
		})
	}
}

func TestPublish_SkipsWhatNothingCanStore(t *testing.T) {
	malformed := news(2, domain.EventAgentFailed)
	malformed.Data = []byte(`{"proposal":`)
	for name, event := range map[string]domain.Event{
		"beyond the stream's messages even when reduced": large(t)[1],
		"no JSON": malformed,
	} {
		t.Run(name, func(t *testing.T) {
			srv, _, js := started(t)
			_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
				Name: "OURS", Subjects: []string{"deliberation.events.>"}, MaxMsgSize: 512,
			})
			require.NoError(t, err)
			var log bytes.Buffer
			publisher := connect(t, nats.Config{URL: srv.ClientURL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})

			events := []domain.Event{news(1, domain.EventStarted), event, news(3, domain.EventCompleted)}
			came, err := publisher.Publish(t.Context(), events)
			require.NoError(t, err)
			require.Equal(t, domain.Publication{Stored: 2, Dropped: 1}, came)
			require.Equal(t, []int{1, 3}, numbers(t, js, "OURS"))
			publisher.Close()
			require.Contains(t, log.String(), "event skipped")
			require.Contains(t, log.String(), event.ID)
			require.NotContains(t, log.String(), "confidential")
		})
	}
}
