// Package freeport finds ports for tests that close a listener and open it again, or let another process
// open it.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Systems give higher ports to outgoing connections. One of those could be there before the listener is,
// and could even be connected to itself.
const lowest, highest = 10_000, 20_000

// Find finds a port of 127.0.0.1 that nobody listens on.
func Find(tb testing.TB) int {
	tb.Helper()
	for range 100 {
		port := lowest + rand.IntN(highest-lowest) //nolint:gosec // no secret
		listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = listener.Close()
			return port
		}
	}
	tb.Fatalf("no free port between %d and %d", lowest, highest)
	return 0
}
