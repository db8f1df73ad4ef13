package nats_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/freeport"
)

func TestPublish_KeepsTheOrderWhileAcksAreLate(t *testing.T) {
	t.Parallel()
	connection, publisher, js := connectOverFaults(t)
	events, want := batch(12)
	require.NoError(t, publish(t.Context(), publisher, events[:2]))

	connection.poison(t, `{"name":"slow","type":"latency","stream":"downstream","attributes":{"latency":300,"jitter":200}}`)
	begun := time.Now()
	require.NoError(t, publish(t.Context(), publisher, events))
	require.Greater(t, time.Since(begun), 12*100*time.Millisecond)

	require.Equal(t, want, numbers(t, js, "DELIBERATION_EVENTS"))
}

// This test publishes again within and after the stream's duplicate window.
func TestPublish_RepeatsWhatWasStoredWithoutAnAck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		window time.Duration
		want   []int
	}{
		"within the window nothing is stored twice":        {time.Hour, []int{1, 2, 3, 4}},
		"beyond it what may be unknown is, still in order": {100 * time.Millisecond, []int{1, 1, 2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connection, publisher, js := connectOverFaults(t)
			_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
				Name: "OURS", Subjects: []string{"deliberation.events.>"}, Duplicates: test.window,
			})
			require.NoError(t, err)
			require.Eventually(t, func() bool { _, trouble := publisher.Status(); return trouble == nil }, patience, often)

			connection.poison(t, `{"name":"deaf","type":"limit_data","stream":"downstream","attributes":{"bytes":0}}`)
			requireNotStored(t, publish(t.Context(), publisher, run()))
			require.Equal(t, []int{1}, numbers(t, js, "OURS"), "it is stored, and the publisher can't know")

			time.Sleep(2 * 100 * time.Millisecond) // the window is the server's: nothing reports its end
			require.NoError(t, connection.Toxics.RemoveToxic(t.Context(), "deaf"))
			require.EventuallyWithT(t, func(c *assert.CollectT) {
				require.NoError(c, publish(t.Context(), publisher, run()))
			}, patience, often)
			require.Equal(t, test.want, numbers(t, js, "OURS"))
		})
	}
}

func TestPublish_LosesAndDoublesNothingWhenTheServerRestartsMeanwhile(t *testing.T) {
	t.Parallel()
	opts := options(t, func(o *server.Options) { o.Port = freeport.Find(t) })
	srv := serve(t, opts)
	publisher := connect(t, nats.Config{URL: srv.ClientURL()})
	events, want := batch(2000)
	js := operator(t, srv.ClientURL())
	require.NoError(t, publish(t.Context(), publisher, events[:1]), "the stream is there")

	failed := make(chan error, 1)
	go func() { failed <- publish(t.Context(), publisher, events) }()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		stream, err := js.Stream(t.Context(), "DELIBERATION_EVENTS")
		require.NoError(c, err)
		require.Greater(c, stream.CachedInfo().State.Msgs, uint64(50))
	}, patience, time.Millisecond)
	stop(srv)
	requireNotStored(t, <-failed)

	srv = serve(t, opts.Clone())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, publish(t.Context(), publisher, events))
	}, patience, often)
	require.Equal(t, want, numbers(t, operator(t, srv.ClientURL()), "DELIBERATION_EVENTS"))
}

// The connection takes no more bytes, and nothing closes it.
func TestPublish_LeavesAStalledConnection(t *testing.T) {
	t.Parallel()
	connection, publisher, js := connectOverFaults(t)
	events, _ := batch(1)
	require.NoError(t, publish(t.Context(), publisher, events))
	large := news(2, domain.EventAgentCompleted)
	large.Data = fmt.Appendf(nil, `{"number":2,"text":%q}`, strings.Repeat("x", 500<<10))

	connection.poison(t, `{"name":"stalled","type":"bandwidth","stream":"upstream","attributes":{"rate":1}}`)
	var longest time.Duration
	for trouble := error(nil); trouble == nil; _, trouble = publisher.Status() {
		trying, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		begun := time.Now()
		require.Error(t, publish(trying, publisher, []domain.Event{large}))
		cancel()
		longest = max(longest, time.Since(begun))
	}
	require.Less(t, longest, 30*time.Second, "the client's own bound of a write is a minute")

	require.NoError(t, connection.Toxics.RemoveToxic(t.Context(), "stalled"))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, publish(t.Context(), publisher, []domain.Event{large}))
	}, patience, often)
	require.Equal(t, []int{1, 2}, numbers(t, js, "DELIBERATION_EVENTS"))
}

// batch makes a long batch of events, and their numbers.
func batch(size int) (events []domain.Event, want []int) {
	for i := 1; i <= size; i++ {
		events, want = append(events, news(i, domain.EventAgentCompleted)), append(want, i)
	}
	return events, want
}

// faultyConnection is a proxy between the publisher and a server.
type faultyConnection struct{ *toxiproxy.Proxy }

// connectOverFaults starts a server, and connects a publisher to it over a proxy. The operator's connection is direct.
func connectOverFaults(t *testing.T) (faultyConnection, *nats.Publisher, jetstream.JetStream) {
	t.Helper()
	srv := serve(t, options(t, nil))
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(proxies, "nats", fmt.Sprintf("127.0.0.1:%d", freeport.Find(t)), srv.Addr().String())
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return faultyConnection{proxy}, connect(t, nats.Config{URL: "nats://" + proxy.Listen}), operator(t, srv.ClientURL())
}

func (c faultyConnection) poison(t *testing.T, toxic string) {
	t.Helper()
	_, err := c.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(t, err)
}
