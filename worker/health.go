package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"deliberation.io/deliberation/internal/fleet"
)

const (
	// gateWithin bounds the checks that decide about readiness.
	gateWithin = 3 * time.Second
	// detailWithin bounds the other checks: a prober waits for one second, and the worker must stay ready although Ray
	// hangs.
	detailWithin = 800 * time.Millisecond
)

// health answers the probes. A worker is ready when Temporal can give it work. Ray and NATS don't decide about that:
// deliberations wait for Ray, and don't need NATS.
type health struct {
	started atomic.Bool
	fatal   atomic.Pointer[string]

	mu       sync.Mutex
	checks   []check
	clusters func() []fleet.View // nil before they are known
}

// check asks one system that the worker needs.
type check struct {
	name  string
	gates bool // decides about readiness
	ask   func(context.Context) error
}

type readiness struct {
	Ready    bool              `json:"ready"`
	Details  map[string]string `json:"details"`
	Clusters []fleet.View      `json:"clusters,omitempty"`
}

// add adds a check to the readiness answer. It may be called while probes are answered.
func (h *health) add(c check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, c)
}

// addClusters adds the clusters to the readiness answer.
func (h *health) addClusters(clusters func() []fleet.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clusters = clusters
}

// fail makes the liveness probe fail, so that the worker is replaced.
func (h *health) fail(cause string) { h.fatal.Store(&cause) }

func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	if cause := h.fatal.Load(); cause != nil {
		http.Error(w, *cause, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	answer := h.readiness(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// readiness does all checks at the same time, so that one that hangs doesn't delay the others.
func (h *health) readiness(ctx context.Context) readiness {
	h.mu.Lock()
	checks, clusters := slices.Clip(h.checks), h.clusters
	h.mu.Unlock()
	faults := make([]error, len(checks))
	var asking sync.WaitGroup
	for i, check := range checks {
		asking.Go(func() { faults[i] = check.within(ctx) })
	}
	asking.Wait()
	answer := readiness{Ready: h.started.Load(), Details: map[string]string{}}
	if clusters != nil {
		answer.Clusters = clusters()
	}
	for i, check := range checks {
		answer.Details[check.name] = "ok"
		if faults[i] != nil {
			answer.Details[check.name] = faults[i].Error()
			answer.Ready = answer.Ready && !check.gates
		}
	}
	return answer
}

func (c check) within(ctx context.Context) error {
	patience := detailWithin
	if c.gates {
		patience = gateWithin
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.ask(ctx)
}

// listen serves health and metrics until stop is called.
func (h *health) listen(ctx context.Context, address string, metrics prometheus.Gatherer, log *slog.Logger) (stop func(), err error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.live)
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", httpVariable, err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("health and metrics not served", "address", address, "error", err)
		}
	}()
	return func() {
		_ = server.Close()
		_ = listener.Close() // Serve may not have taken it over yet
	}, nil
}
