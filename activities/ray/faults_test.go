package ray_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/freeport"
)

// faults are faults of a network. Downstream is the direction of the answers: the app has done the work by then.
var faults = []struct {
	name  string
	toxic string
	says  string
}{
	{"reset after the work", `{"type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 0}}`, "connection reset"},
	{"answer cut in its body", `{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 210}}`, "in the middle of an answer"},
	{"answer cut in its head", `{"type": "limit_data", "stream": "downstream", "attributes": {"bytes": 20}}`, "connection"},
	{"answer swallowed", `{"type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`, swallowed},
	{"request swallowed", `{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`, swallowed},
	{"request cut", `{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 300}}`, ""},
	{"reset before the work", `{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 0}}`, "connection"},
}

// swallowed is the error of a fault that only the call's own timeout ends.
const swallowed = "no answer within 1s"

func runFaults(t *testing.T, open func(*testing.T) rayApp) {
	t.Helper()
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel() // most of its time it waits for answers that don't come
			silenceIsNoOutcome(t, open(t), fault.toxic, fault.says)
		})
	}
	t.Run("latency", func(t *testing.T) { latencyIsNoFault(t, open(t)) })
	t.Run("nobody there", func(t *testing.T) { refusedConnection(t, open(t)) })
}

// silenceIsNoOutcome checks that no fault makes a turn fail, and that a later submit attaches.
func silenceIsNoOutcome(t *testing.T, app rayApp, toxic, says string) {
	t.Helper()
	c, connection := throughProxy(t, app)
	c.script(t, c.model, hangs())
	c.Hurry(patience)
	poison := func() {
		connection.add(t, toxic)
		if says == swallowed {
			c.Hurry(time.Second)
		}
	}
	poison()
	_, err := c.Submit(t.Context(), c.submission)
	require.Equal(t, domain.KindUnreachable, kindOf(t, err))
	require.ErrorContains(t, err, says)
	require.Less(t, len(err.Error()), 250)

	connection.clear(t)
	c.Hurry(patience)
	handle := c.submit(t)[0]
	c.called(t)
	poison()
	seen := c.look(t, handle, 0)
	require.Contains(t, seen.Unreachable, c.Name()+": ")
	require.Contains(t, seen.Unreachable, says)
	require.Equal(t, domain.OutcomeUnreachable, domain.Judge(handle, seen).Kind)
	_, err = c.Stop(t.Context(), c.order(handle))
	require.Equal(t, domain.KindUnreachable, kindOf(t, err))
	require.Equal(t, domain.KindUnreachable, kindOf(t, c.Forget(t.Context(), c.order(handle))))

	connection.clear(t)
	c.Hurry(patience)
	require.NotEqual(t, domain.RayRunning, c.stop(t, handle)[0].State)
	require.Equal(t, 1, c.calls(t, c.id()), "paid once")
}

func latencyIsNoFault(t *testing.T, app rayApp) {
	t.Helper()
	c, connection := throughProxy(t, app)
	c.script(t, c.model, says(answerText))
	connection.add(t, `{"type": "latency", "stream": "downstream", "attributes": {"latency": 300, "jitter": 100}}`)
	require.Equal(t, domain.RayCompleted, c.see(t, c.submit(t)[0]).State)
	require.Equal(t, 1, c.calls(t, c.id()))
}

func refusedConnection(t *testing.T, app rayApp) {
	t.Helper()
	c, connection := throughProxy(t, app)
	c.script(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	connection.proxy.Stop()
	_, err := c.Submit(t.Context(), c.submission)
	require.Equal(t, domain.KindUnreachable, kindOf(t, err))
	require.EqualError(t, err, "submit to local: connection refused")
	seen := c.look(t, handle, 0)
	require.Equal(t, "local: connection refused", seen.Unreachable)
	require.NoError(t, connection.proxy.Start())
	require.Equal(t, domain.RayCompleted, c.see(t, c.submit(t)[0]).State)
	require.Equal(t, 1, c.calls(t, c.id()))
}

// faultyConnection is a proxy between a client and the app.
type faultyConnection struct {
	proxy *toxiproxy.Proxy
	close func()
}

func throughProxy(t *testing.T, app rayApp) (council, faultyConnection) {
	t.Helper()
	config := app.config()
	address, err := url.Parse(config.URL)
	require.NoError(t, err)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, t.Name(), fmt.Sprintf("127.0.0.1:%d", freeport.Find(t)), address.Host)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	address.Host = proxy.Listen
	config.URL = address.String()
	c := newCouncil(t, app, 1)
	c.Client = newClient(t, config)
	return c, faultyConnection{proxy: proxy, close: c.CloseIdleConnections}
}

// add lets new connections misbehave, and closes the kept ones.
func (f faultyConnection) add(t *testing.T, toxic string) {
	t.Helper()
	f.close()
	_, err := f.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	require.NoError(t, err, toxic)
}

func (f faultyConnection) clear(t *testing.T) {
	t.Helper()
	f.close()
	f.proxy.Toxics.ResetToxics(context.Background())
}
