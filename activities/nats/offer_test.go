package nats_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// The file has what a runner publishes. The tests of the Ray app read it too.
func TestTextThatComesByWaitsIsPublishedAsARunnerDoes(t *testing.T) {
	var expected struct {
		Subject string           `json:"subject"`
		Events  []map[string]any `json:"events"`
	}
	file, err := os.ReadFile("../../deploy/ray/tests/token_messages.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(file, &expected))
	var texts []any
	for _, event := range expected.Events {
		texts = append(texts, event["data"])
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		state := map[string]any{"submission_id": "t1", "incarnation": "i", "state": "running"}
		_ = json.NewEncoder(w).Encode(map[string]any{"turns": []any{state}, "left": []any{}, "texts": texts})
	}))
	defer app.Close()
	srv, publisher, _ := started(t)
	require.Eventually(t, func() bool { _, err := publisher.Status(); return err == nil }, patience, often)
	conn, err := natsgo.Connect(srv.ClientURL())
	require.NoError(t, err)
	defer conn.Close()
	messages, err := conn.SubscribeSync(expected.Subject)
	require.NoError(t, err)
	require.NoError(t, conn.Flush())
	client, err := ray.New(ray.Config{Name: "local", URL: app.URL, Heard: publisher.Offer})
	require.NoError(t, err)

	_, err = client.Await(t.Context(), []domain.Handle{{TurnID: "t1", Cluster: "local", Runner: "runner/a/0", Incarnation: "i"}}, 0)

	require.NoError(t, err)
	for _, event := range expected.Events {
		message, err := messages.NextMsg(patience)
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.Unmarshal(message.Data, &got))
		sent, err := time.Parse(time.RFC3339Nano, got["time"].(string))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), sent, patience)
		delete(got, "time")
		require.Equal(t, event, got)
	}
	require.Eventually(t, func() bool { return publisher.Offers() == nats.Offered{Sent: 3} }, patience, often)
}

func TestTextThatNATSCannotTakeIsDroppedAndCounted(t *testing.T) {
	publisher := connect(t, nats.Config{URL: "nats://127.0.0.1:1"})

	publisher.Offer([]contract.Saying{{TurnID: "t1"}, {TurnID: "t1"}})

	require.Eventually(t, func() bool { return publisher.Offers() == nats.Offered{Dropped: 2} }, patience, often)
}

func TestAServerThatReadsNothingHoldsUpNobodyWhoOffers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() { // greets, and never reads more than the client's first line
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = fmt.Fprint(conn, `INFO {"server_id":"t","version":"2.12.0","max_payload":1048576,"headers":true}`+"\r\n")
		first := make([]byte, 4096)
		_, _ = conn.Read(first)
		_, _ = fmt.Fprint(conn, "PONG\r\n")
	}()
	publisher := connect(t, nats.Config{URL: "nats://" + listener.Addr().String()})
	require.Eventually(t, func() bool { _, err := publisher.Status(); return err == nil }, patience, often)
	long := []contract.Saying{{TurnID: "t1", Text: strings.Repeat("x", 60_000)}}

	begun, stuck := time.Now(), 0
	for stuck < 3 && time.Since(begun) < patience { // until nothing is sent any more
		before, window := publisher.Offers().Sent, time.Now().Add(100*time.Millisecond)
		for time.Now().Before(window) {
			offered := time.Now()
			publisher.Offer(long)
			require.Less(t, time.Since(offered), time.Second)
		}
		stuck++
		if publisher.Offers().Sent > before {
			stuck = 0
		}
	}

	require.Equal(t, 3, stuck)
	require.Positive(t, publisher.Offers().Dropped)
}

// A server ends the connection at a subject beyond its max_control_line, and events need it too.
func TestTextUnderIDsThatNoSubjectHasRoomForIsDropped(t *testing.T) {
	_, publisher, js := started(t)
	require.NoError(t, publish(t.Context(), publisher, []domain.Event{news(1, domain.EventStreamStart)})) // makes the stream
	publisher.Offer([]contract.Saying{{DeliberationID: strings.Repeat("é", 1000), AgentID: "qa", TurnID: "t1"}, {DeliberationID: "d-1", AgentID: "qa", TurnID: "t1"}})
	require.Eventually(t, func() bool { return publisher.Offers() == nats.Offered{Sent: 1, Dropped: 1} }, patience, often)
	require.Eventually(t, func() bool { return len(stored(t, js, "DELIBERATION_TOKENS")) == 2 }, patience, often)
}
