// Package freeport finds free ports. Tests need them that close a listener and open it again, or that start another
// process.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// Systems use higher ports for outgoing connections. Such a connection could take the port before the listener does.
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
