package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func ask(handler http.HandlerFunc) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler(recorder, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	return recorder
}

func well(context.Context) error { return nil }

func ill(context.Context) error { return errors.New("away") }

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestHealth_Ready(t *testing.T) {
	for name, c := range map[string]struct {
		started                 bool
		temporal, ray, nats     func(context.Context) error
		code                    int
		temporalSays, othersSay string
	}{
		"not before the start":                {false, well, well, well, 503, "ok", "ok"},
		"when it has started":                 {true, well, well, well, 200, "ok", "ok"},
		"not without Temporal":                {true, ill, well, well, 503, "away", "ok"},
		"without Ray and NATS":                {true, well, ill, ill, 200, "ok", "away"},
		"while Ray and NATS hang":             {true, well, hangs, hangs, 200, "ok", "context deadline exceeded"},
		"not while Temporal hangs":            {true, hangs, well, well, 503, "context deadline exceeded", "ok"},
		"not before the start, whoever hangs": {false, hangs, hangs, hangs, 503, "context deadline exceeded", "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &health{}
				h.add(check{name: "ray:local", ask: c.ray})
				h.add(check{name: "temporal", gates: true, ask: c.temporal})
				h.add(check{name: "nats", ask: c.nats})
				h.started.Store(c.started)
				begun := time.Now()

				recorder := ask(h.ready)

				require.Equal(t, c.code, recorder.Code)
				require.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
				var answer readiness
				require.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &answer))
				require.Equal(t, readiness{Ready: c.code == 200, Details: map[string]string{
					"temporal": c.temporalSays, "ray:local": c.othersSay, "nats": c.othersSay,
				}}, answer)
				if c.code == 200 { // a prober is patient for a second
					require.Less(t, time.Since(begun), time.Second)
				}
			})
		})
	}
}

// Probes come as soon as the port is open, which is before the adapters are there.
func TestHealth_IsAskedWhileSystemsAreAdded(t *testing.T) {
	h := &health{}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { h.add(check{name: "x", ask: well}) })
		all.Go(func() { ask(h.ready) })
	}
	all.Wait()
	require.Len(t, h.checks, 50)
}

func TestHealth_LiveUntilAWorkerFailsForGood(t *testing.T) {
	h := &health{}
	require.Equal(t, 200, ask(h.live).Code)

	h.fail("namespace not found")

	recorder := ask(h.live)
	require.Equal(t, 503, recorder.Code)
	require.Equal(t, "namespace not found\n", recorder.Body.String())
}

func TestHealth_ServesProbesAndMetricsAtOneAddress(t *testing.T) {
	address := free(t)
	stop, err := (&health{}).listen(t.Context(), address, newRegistry(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)

	for path, code := range map[string]int{"/healthz": 200, "/readyz": 503, "/metrics": 200, "/": 404} {
		require.Equal(t, code, get(t, address, path, nil), path)
	}

	stop()
	again, err := (&health{}).listen(t.Context(), address, newRegistry(), slog.New(slog.DiscardHandler))
	require.NoError(t, err, "the address is free again")
	again()
}
