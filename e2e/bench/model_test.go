//go:build integration

package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// model is a model server that costs next to nothing. What a model does stands in its name: instant, hang,
// after-30s, stream-50x500 (50 tokens a second, 500 in all). What follows a / only makes another model of it.
type model struct {
	url     string
	calls   atomic.Int64
	open    atomic.Int64
	aborted atomic.Int64 // calls whose caller left
	tokens  atomic.Int64

	mu     sync.Mutex
	first  time.Time            // the first token since the last reset
	last   time.Time            // the last token
	latest time.Time            // the last stream's start since the last reset
	length time.Duration        // of the longest stream
	ended  map[string]time.Time // the last answer of each model
	opened map[string]time.Time // the first call of each model
}

const proposal = `{\"proposal\":\"do it\",\"reasoning\":\"because\",\"score\":0.5}`

func newModel(t *testing.T) *model {
	t.Helper()
	m := &model{ended: map[string]time.Time{}, opened: map[string]time.Time{}}
	server := httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	m.url = server.URL
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Model string `json:"model"`
	}
	if !strings.HasSuffix(r.URL.Path, "/chat/completions") || json.NewDecoder(r.Body).Decode(&asked) != nil {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"object":"list","data":[]}`)
		return
	}
	m.calls.Add(1)
	m.open.Add(1)
	defer m.open.Add(-1)
	m.note(m.opened, asked.Model, false)
	w.Header().Set("Content-Type", "text/event-stream")
	if m.answer(w, r, asked.Model) {
		m.note(m.ended, asked.Model, true)
		return
	}
	m.aborted.Add(1)
}

// answer reports whether the caller stayed until the end.
func (m *model) answer(w http.ResponseWriter, r *http.Request, name string) bool {
	name, _, _ = strings.Cut(name, "/")
	_, _ = fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`+"\n\n")
	flush(w)
	var rate, count int
	var delay time.Duration
	switch verb, rest, _ := strings.Cut(name, "-"); verb {
	case "hang":
		<-r.Context().Done()
		return false
	case "after":
		delay, _ = time.ParseDuration(rest)
	case "stream":
		_, _ = fmt.Sscanf(rest, "%dx%d", &rate, &count)
	}
	if !pause(r, delay) || !m.stream(w, r, rate, count) {
		return false
	}
	_, _ = fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":"`+proposal+`"},"finish_reason":null}]}`+"\n\n"+
		`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+
		`data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20}}`+"\n\n"+"data: [DONE]\n\n")
	return true
}

// stream sends tokens at a rate. It doesn't pause while it is late.
func (m *model) stream(w http.ResponseWriter, r *http.Request, rate, count int) bool {
	began := time.Now()
	defer m.streamed(began)
	for n := range count {
		if !pause(r, time.Until(began.Add(time.Duration(n+1)*time.Second/time.Duration(rate)))) {
			return false
		}
		if _, err := fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"content":" "},"finish_reason":null}]}`+"\n\n"); err != nil {
			return false
		}
		flush(w)
		m.count()
	}
	return true
}

// count counts a token.
func (m *model) count() {
	m.tokens.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = time.Now()
	if m.first.IsZero() {
		m.first = m.last
	}
}

func (m *model) resetTokenTimes() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.first, m.latest, m.length = time.Time{}, time.Time{}, 0
}

// streamed notes a stream that ends now.
func (m *model) streamed(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.length = max(m.length, time.Since(began))
	if began.After(m.latest) {
		m.latest = began
	}
}

// spread returns how long after the first token the last stream began, and the time of the longest stream, in seconds.
func (m *model) spread() (starts, longest float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.latest.Sub(m.first).Seconds(), m.length.Seconds()
}

// tokenTimes returns the time from the first token to the last one.
func (m *model) tokenTimes() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last.Sub(m.first)
}

func flush(w http.ResponseWriter) {
	if flusher, can := w.(http.Flusher); can {
		flusher.Flush()
	}
}

func pause(r *http.Request, wait time.Duration) bool {
	if wait <= 0 {
		return r.Context().Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (m *model) note(in map[string]time.Time, name string, again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := in[name]; again || !known {
		in[name] = time.Now()
	}
}

// lastAnswer returns when a model has last answered.
func (m *model) lastAnswer(name string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended[name]
}

// firstCall returns when a model was first called; zero if it wasn't.
func (m *model) firstCall(name string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.opened[name]
}
