package nats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
)

const (
	patience = time.Minute
	often    = 10 * time.Millisecond
)

// options are the options of a server with JetStream on a free port, with the changes of a test.
func options(t *testing.T, change func(*server.Options)) *server.Options {
	t.Helper()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(),
	}
	if change != nil {
		change(opts)
	}
	return opts
}

func serve(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	srv, err := server.NewServer(opts)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(func() { stop(srv) })
	require.True(t, srv.ReadyForConnections(patience))
	return srv
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

func connect(t *testing.T, config nats.Config) *nats.Publisher {
	t.Helper()
	publisher, err := nats.Connect(config)
	require.NoError(t, err)
	t.Cleanup(publisher.Close)
	return publisher
}

// operator has another connection to the same server.
func operator(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	conn, err := natsgo.Connect(url, natsgo.Timeout(patience), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(often))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	return js
}

// started returns the server and the publisher that most tests need.
func started(t *testing.T) (*server.Server, *nats.Publisher, jetstream.JetStream) {
	t.Helper()
	srv := serve(t, options(t, nil))
	return srv, connect(t, nats.Config{URL: srv.ClientURL()}), operator(t, srv.ClientURL())
}

// publish publishes for tests that look only at the streams.
func publish(ctx context.Context, publisher *nats.Publisher, events []domain.Event) error {
	_, err := publisher.Publish(ctx, events)
	return err
}

func news(number int, kind domain.EventKind) domain.Event {
	return domain.Event{
		ID: domain.EventID("d-1", "run", number, kind), Kind: kind, DeliberationID: "d-1", AgentID: "qa",
		At:   time.Date(2026, 11, 1, 12, 0, number, 0, time.UTC),
		Data: fmt.Appendf(nil, `{"number":%d}`, number),
	}
}

// run is a batch of events as a deliberation sends it.
func run() []domain.Event {
	return []domain.Event{
		news(1, domain.EventStarted), news(2, domain.EventAgentCompleted),
		news(3, domain.EventAgentFailed), news(4, domain.EventCompleted),
	}
}

// stored returns the messages of a stream, in its order.
func stored(t *testing.T, js jetstream.JetStream, stream string) []*jetstream.RawStreamMsg {
	t.Helper()
	handle, err := js.Stream(t.Context(), stream)
	require.NoError(t, err)
	state := handle.CachedInfo().State
	messages := []*jetstream.RawStreamMsg{}
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		message, err := handle.GetMsg(t.Context(), seq)
		require.NoError(t, err)
		messages = append(messages, message)
	}
	return messages
}

// numbers returns the numbers in the ids of the stored events.
func numbers(t *testing.T, js jetstream.JetStream, stream string) []int {
	t.Helper()
	found := []int{}
	for _, message := range stored(t, js, stream) {
		var event struct {
			Data struct {
				Number int `json:"number"`
			} `json:"data"`
		}
		require.NoError(t, json.Unmarshal(message.Data, &event))
		found = append(found, event.Data.Number)
	}
	return found
}

func requireNotStored(t *testing.T, err error) {
	t.Helper()
	var failure *domain.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, domain.KindPublish, failure.Kind)
	// Otherwise the activity would think that its own time is over.
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)
}

// silence subscribes to a subject: the server then no longer reports that no stream takes it. The function
// heard returns how many messages it has received.
func silence(t *testing.T, url, subject string) (heard func() int) {
	t.Helper()
	conn, err := natsgo.Connect(url, natsgo.Timeout(patience))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	subscription, err := conn.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	return func() int {
		require.NoError(t, conn.Flush()) // the answer comes after every message that was sent before
		messages, _, err := subscription.Pending()
		require.NoError(t, err)
		return messages
	}
}
