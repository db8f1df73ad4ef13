package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	healthVariable  = "DELIBERATION_HEALTH_ADDR"
	metricsVariable = "DELIBERATION_METRICS_ADDR"
)

// door is an address and what is served there.
type door struct {
	address   string
	variables []string // that name it
	mux       *http.ServeMux
}

func (h *health) doors(c config, metrics prometheus.Gatherer) []*door {
	at := &door{address: c.HealthAddr, variables: []string{healthVariable}, mux: http.NewServeMux()}
	at.mux.HandleFunc("GET /healthz", h.live)
	at.mux.HandleFunc("GET /readyz", h.ready)
	doors := []*door{at}
	if both, is := sameDoor(c.HealthAddr, c.MetricsAddr); is {
		at.address = both
		at.variables = append(at.variables, metricsVariable)
	} else {
		at = &door{address: c.MetricsAddr, variables: []string{metricsVariable}, mux: http.NewServeMux()}
		doors = append(doors, at)
	}
	at.mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return doors
}

// sameDoor is the one address that takes in both: they are equal, or one of them is all addresses with the
// port of the other.
func sameDoor(one, other string) (both string, is bool) {
	host, port, _ := net.SplitHostPort(one)
	otherHost, otherPort, _ := net.SplitHostPort(other)
	switch {
	case one == other:
		return one, true
	case port != otherPort || port == "0":
		return "", false
	case everywhere(host):
		return one, true
	case everywhere(otherHost):
		return other, true
	}
	return "", false
}

func everywhere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// listen serves health and metrics, on one address or two.
func (h *health) listen(ctx context.Context, c config, metrics prometheus.Gatherer, log *slog.Logger) (stop func(), err error) {
	var closers []io.Closer
	stop = func() {
		for _, closer := range closers {
			_ = closer.Close()
		}
	}
	for _, door := range h.doors(c, metrics) {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", door.address)
		if err != nil {
			stop()
			return nil, fmt.Errorf("%s: %w", strings.Join(door.variables, ", "), err)
		}
		server := &http.Server{Handler: door.mux, ReadHeaderTimeout: 5 * time.Second}
		closers = append(closers, server, listener) // a server that doesn't serve yet doesn't close it
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				log.Error("health and metrics not served", "address", door.address, "error", err)
			}
		}()
	}
	return stop, nil
}
