package waiting_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/waiting"
	"deliberation.io/deliberation/domain"
)

// runners hold turns, and note what they are asked.
type runners struct {
	domain.RayCluster // no test calls its other methods

	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, at each change
	ended    map[domain.TurnID]domain.Observation
	muted    map[domain.TurnID]bool // never named
	err      error
	latency  time.Duration // of every answer
	hung     string        // the runner that doesn't answer
	requests []request
	open     int // requests that are under way
}

// clientMargin is how much longer than its wait a client gives a request.
const clientMargin = 12 * time.Second

type request struct {
	at    time.Duration // since the test's begin
	turns []domain.TurnID
	wait  time.Duration
}

// fakeCluster is a Ray cluster, and the room in which a worker waits for its turns.
type fakeCluster struct {
	*runners

	t        *testing.T
	begun    time.Time
	room     *waiting.Room
	stopping chan struct{} // closed when the worker shuts down
}

func newFakeCluster(t *testing.T) *fakeCluster {
	t.Helper()
	return &fakeCluster{
		runners: &runners{changed: make(chan struct{}), ended: map[domain.TurnID]domain.Observation{}, muted: map[domain.TurnID]bool{}},
		t:       t, begun: time.Now(), room: waiting.NewRoom(), stopping: make(chan struct{}),
	}
}

func (c *fakeCluster) Await(ctx context.Context, handles []domain.Handle, wait time.Duration) ([]domain.Observation, error) {
	require.LessOrEqual(c.t, len(handles), domain.MaxAwaited)
	c.mu.Lock()
	asked := request{at: time.Since(c.begun), wait: wait}
	for _, handle := range handles {
		require.Equal(c.t, handles[0].Runner, handle.Runner)
		asked.turns = append(asked.turns, handle.TurnID)
	}
	slices.Sort(asked.turns)
	c.requests = append(c.requests, asked)
	c.open++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.open--
		c.mu.Unlock()
	}()
	over := time.After(wait)
	for late := wait == 0; ; {
		c.mu.Lock()
		all, ended := c.look(handles)
		err, changed, hung := c.err, c.changed, c.hung == handles[0].Runner
		c.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case hung:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait + clientMargin):
				return nil, &domain.Error{Kind: domain.KindUnreachable, Op: "await", Err: errors.New("no answer")}
			}
		case late:
			return all, c.travel(ctx)
		case len(ended) > 0:
			return ended, c.travel(ctx)
		}
		select {
		case <-changed:
		case <-over:
			late = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// travel takes as long as an answer is under way.
func (r *runners) travel(ctx context.Context) error {
	select {
	case <-time.After(r.latency):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *runners) look(handles []domain.Handle) (all, ended []domain.Observation) {
	for _, handle := range handles {
		seen, over := r.ended[handle.TurnID]
		switch {
		case r.muted[handle.TurnID]:
		case over:
			all, ended = append(all, seen), append(ended, seen)
		default:
			all = append(all, domain.Observation{TurnID: handle.TurnID, State: domain.RayRunning})
		}
	}
	return all, ended
}

func (r *runners) change(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
	close(r.changed)
	r.changed = make(chan struct{})
}

// end ends turns, all at the same moment.
func (r *runners) end(ids ...domain.TurnID) {
	r.change(func() {
		for _, id := range ids {
			r.ended[id] = domain.Observation{TurnID: id, State: domain.RayCompleted, Completion: domain.Completion{Text: "of " + string(id)}}
		}
	})
}

// fail makes every request fail, or none.
func (r *runners) fail(err error) { r.change(func() { r.err = err }) }

func (r *runners) asked() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

func (r *runners) underWay() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// waiter is an activity that waits for one turn.
type waiter struct {
	cancel context.CancelFunc
	heard  []word
	done   chan struct{} // closed when it waits no longer
}

// word is what the waiter heard, and when.
type word struct {
	at   time.Duration
	seen domain.Observation
	err  error
}

// await begins to wait for a turn of the named runner, until it hears that the turn doesn't run.
func (c *fakeCluster) await(runner string, id domain.TurnID) *waiter {
	ctx, cancel := context.WithCancel(c.t.Context())
	waits := &waiter{cancel: cancel, done: make(chan struct{})}
	turn := c.room.Turn(c, domain.Handle{TurnID: id, Cluster: "local", Runner: runner, Incarnation: "1"})
	go func() {
		defer close(waits.done)
		defer turn.Leave()
		for {
			seen, err := turn.Next(ctx, c.stopping)
			if err != nil {
				waits.heard = append(waits.heard, word{at: time.Since(c.begun), err: err})
				return
			}
			waits.heard = append(waits.heard, word{at: time.Since(c.begun), seen: *seen})
			if !seen.Runs() {
				return
			}
		}
	}()
	return waits
}

// last waits for the waiter's last word.
func (w *waiter) last() word {
	<-w.done
	return w.heard[len(w.heard)-1]
}

func (w *waiter) times() []time.Duration {
	var times []time.Duration
	for _, word := range w.heard {
		times = append(times, word.at)
	}
	return times
}

func ids(names string) []domain.TurnID {
	var ids []domain.TurnID
	for name := range strings.FieldsSeq(names) {
		ids = append(ids, domain.TurnID(name))
	}
	return ids
}
