package ray_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// relay passes bytes on, and closes a connection at its next request when cutNext is set.
type relay struct {
	address     string
	connections atomic.Int32
	cutNext     atomic.Bool
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	relay := &relay{address: listener.Addr().String()}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			relay.connections.Add(1)
			go relay.pass(client, target)
		}
	}()
	return relay
}

func (r *relay) pass(client net.Conn, target string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() { _, _ = io.Copy(client, upstream) }()
	block := make([]byte, 64<<10)
	for {
		n, err := client.Read(block)
		if err != nil || r.cutNext.CompareAndSwap(true, false) {
			return
		}
		if _, err := upstream.Write(block[:n]); err != nil {
			return
		}
	}
}

func TestAConnectionResetInMidAnswer(t *testing.T) {
	headRead := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"turns\":[")
		<-headRead
		_ = connection.(*net.TCPConn).SetLinger(0)
		_ = connection.Close()
	}))
	t.Cleanup(server.Close)
	client := newClient(t, ray.Config{Name: "local", URL: server.URL})
	client.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			headRead <- struct{}{}
			return response, err
		})
	})
	require.Equal(t, "local: connection reset", awaited(t, client).Unreachable)
	require.Equal(t, domain.KindUnreachable, submitted(t, client).Kind)
}
