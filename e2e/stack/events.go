//go:build integration

package stack

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// Event is a stored CloudEvent.
type Event struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// JetStream connects to a NATS server until the test ends.
func JetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	connection, err := natsgo.Connect(url, natsgo.Timeout(Patience))
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	return js
}

// Events waits until a run has stored at least this many events and returns all of them. None may be stored
// twice.
func Events(t *testing.T, run client.WorkflowRun, atLeast int) []Event {
	t.Helper()
	js := JetStream(t, At.NATSURL)
	var stored []Event
	Eventually(t, "the run's events are stored", func(c *assert.CollectT) {
		stored = StoredEvents(c, js, run)
		require.GreaterOrEqual(c, len(stored), atLeast, "%v", Kinds(stored))
	})
	seen := map[string]bool{}
	for _, e := range stored {
		require.False(t, seen[e.ID], "event %s is stored twice", e.ID)
		seen[e.ID] = true
	}
	return stored
}

// StoredEvents returns the events that a run has stored so far.
func StoredEvents(t require.TestingT, js jetstream.JetStream, run client.WorkflowRun) []Event {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "DELIBERATION_EVENTS", jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{"deliberation.events." + strings.ReplaceAll(run.GetID(), "/", "*") + ".>"},
		InactiveThreshold: 5 * time.Second, // the server's number of consumers is limited
	})
	require.NoError(t, err)
	batch, err := consumer.FetchNoWait(100)
	require.NoError(t, err)
	var stored []Event
	for message := range batch.Messages() {
		var e Event
		require.NoError(t, json.Unmarshal(message.Data(), &e))
		if strings.HasPrefix(e.ID, run.GetID()+"/"+run.GetRunID()+"/") {
			stored = append(stored, e)
		}
	}
	return stored
}

// Kinds returns the kinds of events, in their order.
func Kinds(stored []Event) []string {
	names := make([]string, 0, len(stored))
	for _, e := range stored {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(e.Type, "io.deliberation."), ".v1"))
	}
	return names
}
