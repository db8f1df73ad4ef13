//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/fakes"
)

// handOverWithin is how long a worker may take to stop, however many turns it has in flight.
const handOverWithin = 2 * time.Second

// This test uses a stand-in for the Ray app, and a Temporal that keeps its data in memory: it measures the worker,
// and not 300 writes to a disk.
func TestAWorkerHandsManyWaitsOverWhenItIsToldToStop(t *testing.T) {
	const councils, size, queued = 10, 30, 20
	temporal, ray := useTemporalInMemory(t), startHoldingRay(t)
	queue, settings := stack.Queue(t), []string{"TEMPORAL_ADDRESS=" + temporal, "NATS_URL=", "DELIBERATION_RAY_CLUSTERS=local=" + ray.url}
	first := stack.StartWorker(t, queue, settings...)
	council := slices.Repeat([]string{"held"}, size)
	var waiting []client.WorkflowRun
	for range councils {
		waiting = append(waiting, stack.Begin(t, queue, stack.Request(t, stack.Agents(council...))))
	}
	ray.awaitPolls(t, councils*size)
	ray.full.Store(true)
	runs := append(beginMany(t, queued, queue, "held"), waiting...)
	stack.Eventually(t, "submits wait for room", func(c *assert.CollectT) {
		require.GreaterOrEqual(c, ray.refused.Load(), int64(queued))
	})
	stack.StartWorker(t, queue, settings...)

	stopped := time.Now()
	first.Terminate(t)
	require.NoError(t, first.Wait())
	require.Less(t, time.Since(stopped), handOverWithin)
	ray.full.Store(false)
	ray.awaitPolls(t, councils*size+queued)
	t.Logf("stopped, and all is taken over after %s", time.Since(stopped))
	close(ray.released)

	for _, run := range runs {
		got := stack.Result(t, run)
		require.Equal(t, got.TotalAgents, got.CompletedAgents)
	}
	for _, run := range waiting {
		requireTakenOver(t, run, size)
	}
	ray.requireOneSubmitEach(t, councils*size+queued)
}

// useTemporalInMemory starts a Temporal for this test alone.
func useTemporalInMemory(t *testing.T) (address string) {
	t.Helper()
	address = stack.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	server := exec.Command(stack.Path("bin/temporal"), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port, "--log-level", "error")
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	stack.Eventually(t, "Temporal answers", func(c *assert.CollectT) {
		own, err := client.Dial(client.Options{HostPort: address, Logger: fakes.SilentLogger()})
		require.NoError(c, err)
		stack.UseTemporal(t, own)
	})
	return address
}

// holdingRay stands in for a Ray app whose turns run until they are released.
type holdingRay struct {
	url      string
	full     atomic.Bool
	refused  atomic.Int64
	open     atomic.Int64 // turns that are waited for now
	released chan struct{}

	mu      sync.Mutex
	submits map[string]int // accepted submits, by turn
}

func startHoldingRay(t *testing.T) *holdingRay {
	t.Helper()
	ray := &holdingRay{released: make(chan struct{}), submits: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/turns", ray.submit)
	mux.HandleFunc("POST /v1/turns/await", ray.await)
	// A worker doesn't ask a cluster for anything else that never answers this.
	mux.HandleFunc("GET /v1/info", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"api_version": 1, "build": "b", "runners": []any{}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	ray.url = server.URL
	return ray
}

// asked are the turns of a submit.
type asked struct {
	Turns []struct {
		ID string `json:"submission_id"`
	} `json:"turns"`
}

// awaited are the turns of a wait.
type awaited struct {
	Turns []string `json:"turns"`
	Wait  float64  `json:"wait_seconds"`
}

func (h *holdingRay) submit(w http.ResponseWriter, r *http.Request) {
	if h.full.Load() {
		h.refused.Add(1)
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusTooManyRequests, map[string]any{"error": map[string]string{"type": "full", "message": "no room"}})
		return
	}
	var in asked
	_ = json.NewDecoder(r.Body).Decode(&in)
	turns := []map[string]string{}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, turn := range in.Turns {
		h.submits[turn.ID]++
		turns = append(turns, map[string]string{"submission_id": turn.ID, "status": "accepted"})
	}
	reply(w, http.StatusOK, map[string]any{"runner": "runner/b/0", "incarnation": "i", "accepted_at": time.Now().UTC(), "turns": turns})
}

func (h *holdingRay) await(w http.ResponseWriter, r *http.Request) {
	var in awaited
	_ = json.NewDecoder(r.Body).Decode(&in)
	h.open.Add(int64(len(in.Turns)))
	defer h.open.Add(int64(-len(in.Turns)))
	state, result := "running", any(nil)
	select {
	case <-r.Context().Done():
		return
	case <-time.After(time.Duration(in.Wait * float64(time.Second))):
	case <-h.released:
		state = "completed"
		result = map[string]any{"text": stack.Answers("0.5")["text"], "finish_reason": "stop", "model": "held", "calls": 1}
	}
	turns := make([]any, 0, len(in.Turns))
	for _, id := range in.Turns {
		turns = append(turns, map[string]any{"submission_id": id, "incarnation": "i", "state": state, "result": result})
	}
	reply(w, http.StatusOK, map[string]any{"turns": turns})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// awaitPolls waits until exactly this many turns are polled at the same time.
func (h *holdingRay) awaitPolls(t *testing.T, turns int) {
	t.Helper()
	stack.Eventually(t, "the turns are polled", func(c *assert.CollectT) { require.Equal(c, int64(turns), h.open.Load()) })
}

// requireOneSubmitEach checks that each turn was accepted once: every acceptance calls the model.
func (h *holdingRay) requireOneSubmitEach(t *testing.T, turns int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.submits, turns)
	for id, count := range h.submits {
		require.Equal(t, 1, count, "turn %s", id)
	}
}
