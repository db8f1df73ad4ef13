package raytest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"deliberation.io/deliberation/domain"
)

// runnerName has the form of the real app's runner names.
const runnerName = "runner/fa4e/0"

// App is a running stand-in. All methods may be called at any time from any goroutine.
type App struct {
	URL   string // for ray.Config
	Token string // for ray.Config

	server *httptest.Server

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever the state of a turn or of the app changes
	closed   bool
	restarts int
	moves    int
	turns    map[domain.TurnID]*turn
	buried   map[tombstone]bool
	scripts  map[string][]Answer
	calls    map[domain.TurnID]int
	requests map[string]int
	losing   map[string]int
	full     bool
	away     bool
	busy     bool
}

// tombstone belongs to an owner, so that nobody stops another owner's turns.
type tombstone struct {
	owner string
	id    domain.TurnID
}

// NewApp starts a stand-in that ends with the test.
func NewApp(tb testing.TB) *App {
	tb.Helper()
	app := &App{
		Token: "raytest-token", changed: make(chan struct{}),
		turns: map[domain.TurnID]*turn{}, buried: map[tombstone]bool{}, scripts: map[string][]Answer{},
		calls: map[domain.TurnID]int{}, requests: map[string]int{}, losing: map[string]int{},
	}
	app.server = httptest.NewServer(app.handler())
	app.URL = app.server.URL + prefix
	tb.Cleanup(app.close)
	return app
}

func (a *App) close() {
	a.mu.Lock()
	a.closed = true
	a.loseTurns()
	a.mu.Unlock()
	a.server.CloseClientConnections()
	a.server.Close()
}

// KillRunner ends the runner as a SIGKILL would: its model calls are aborted, its turns and tombstones are gone, waits
// on it are refused, and another incarnation of it is there immediately.
func (a *App) KillRunner() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.restarts++
	a.loseTurns()
	clear(a.buried)
}

// Move replaces the Ray cluster at the app's address, as an upgrade of a RayService does. The new one has no turns.
func (a *App) Move() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moves++
	a.loseTurns()
	clear(a.buried)
}

// Full sets whether the runner refuses new deliberations with 429. It still accepts turns of deliberations of which it
// holds turns.
func (a *App) Full(full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.full = full
}

// Busy sets whether the app refuses everything with 503, as it does while its runner is being restarted.
func (a *App) Busy(busy bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = busy
	a.announce()
}

// Away sets whether the app is unreachable: it cuts every connection, also those of open waits. Turns continue.
func (a *App) Away(away bool) {
	a.mu.Lock()
	a.away = away
	a.announce()
	a.mu.Unlock()
	if away {
		a.server.CloseClientConnections()
	}
}

// LoseNextAnswer makes the app cut the connection in the middle of its next response to the path, for example
// /v1/turns, after it has done what was asked. Called n times, it loses n responses.
func (a *App) LoseNextAnswer(path string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.losing[path]++
}

// Answer scripts the calls of an agent, or of a model, by its name. An agent's script has precedence. Each call takes
// the next answer, and the last one repeats. Without a script, each call gets a canned proposal immediately.
func (a *App) Answer(name string, answers ...Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.scripts[name] = answers
}

// ModelCalls returns how often the model was called for the turn. More than once means that it was paid for twice.
func (a *App) ModelCalls(id domain.TurnID) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[id]
}

func (a *App) AllModelCalls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := 0
	for _, calls := range a.calls {
		all += calls
	}
	return all
}

func (a *App) OpenCalls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	open := 0
	for _, turn := range a.turns {
		if !turn.ended() {
			open++
		}
	}
	return open
}

// Prompt returns the prompt of the turn; empty if the runner doesn't hold the turn.
func (a *App) Prompt(id domain.TurnID) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if turn, held := a.turns[id]; held {
		return turn.prompt
	}
	return ""
}

// Requests returns how many requests came to the path, for example /v1/turns/await.
func (a *App) Requests(path string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[path]
}

// incarnation needs the lock.
func (a *App) incarnation() string { return fmt.Sprintf("%s.%d", a.mark(), a.restarts) }

// mark returns the Ray cluster's part of incarnations. It needs the lock.
func (a *App) mark() string { return fmt.Sprintf("cluster%d.place%d", a.moves, a.moves) }

// elsewhere reports whether the turn belongs to another Ray cluster. It needs the lock.
func (a *App) elsewhere(handle handle) bool {
	return strings.Count(handle.Incarnation, ".") == 2 && !strings.HasPrefix(handle.Incarnation, a.mark()+".")
}

// announce needs the lock.
func (a *App) announce() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// loseTurns needs the lock.
func (a *App) loseTurns() {
	for id, turn := range a.turns {
		turn.abort()
		delete(a.turns, id)
	}
	a.announce()
}

func (a *App) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(http.StatusOK, map[string]string{"status": "ok"}).writeTo(w)
	})
	mux.HandleFunc("POST "+prefix+"/v1/turns", a.serve(a.submit))
	mux.HandleFunc("GET "+prefix+"/v1/turns", a.serve(a.list))
	mux.HandleFunc("POST "+prefix+"/v1/turns/await", a.serve(a.await))
	mux.HandleFunc("POST "+prefix+"/v1/turns/stop", a.serve(a.stop))
	mux.HandleFunc("POST "+prefix+"/v1/turns/forget", a.serve(a.forget))
	mux.HandleFunc("GET "+prefix+"/v1/info", a.serve(a.info))
	return mux
}
