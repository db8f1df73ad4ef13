package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health answers the probes. Alive is the process itself; ready is a worker that Temporal can give
// work to. Ray and NATS are details: deliberations wait for the one and don't need the other.
type health struct {
	started atomic.Bool
	fatal   atomic.Pointer[string]
	checks  map[string]func(context.Context) error // "temporal" gates readiness
}

type readiness struct {
	Ready   bool              `json:"ready"`
	Details map[string]string `json:"details"`
}

func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	if cause := h.fatal.Load(); cause != nil {
		http.Error(w, *cause, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	answer := readiness{Ready: h.started.Load(), Details: map[string]string{}}
	for name, check := range h.checks {
		answer.Details[name] = "ok"
		if err := check(ctx); err != nil {
			answer.Details[name] = err.Error()
			answer.Ready = answer.Ready && name != "temporal"
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// listen serves health and metrics, on one address or two.
func (h *health) listen(ctx context.Context, c config, log *slog.Logger) (stop func(), err error) {
	muxes := map[string]*http.ServeMux{}
	at := func(address string) *http.ServeMux {
		if muxes[address] == nil {
			muxes[address] = http.NewServeMux()
		}
		return muxes[address]
	}
	at(c.HealthAddr).HandleFunc("GET /healthz", h.live)
	at(c.HealthAddr).HandleFunc("GET /readyz", h.ready)
	at(c.MetricsAddr).Handle("GET /metrics", promhttp.Handler())
	var servers []*http.Server
	stop = func() {
		for _, server := range servers {
			_ = server.Close()
		}
	}
	for address, mux := range muxes {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			stop()
			return nil, fmt.Errorf("health and metrics (DELIBERATION_HEALTH_ADDR, DELIBERATION_METRICS_ADDR): %w", err)
		}
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		servers = append(servers, server)
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Error("health and metrics not served", "address", address, "error", err)
			}
		}()
	}
	return stop, nil
}
