package waiting

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
)

const (
	// firstReport is when the first report of a turn is due. The heartbeat then shows that the turn is waited for.
	firstReport = 2 * time.Second
	// nextReport is the longest time between two reports of a turn that runs. Together with the client's margin it is
	// shorter than the heartbeat timeout.
	nextReport = 12 * time.Second
)

// ErrStopping says that a wait ended because the worker shuts down.
var ErrStopping = errors.New("worker is shutting down")

// Room holds the turns that a worker waits for. Create it with [NewRoom].
type Room struct {
	mu    sync.Mutex
	lanes map[place][]*lane
	paces map[place]*rate.Limiter // of lanes that have ended; the next lane takes over the pace
}

// place is what turns have in common that share a request.
type place struct{ cluster, runner, incarnation string }

// NewRoom returns a room without turns.
func NewRoom() *Room { return &Room{lanes: map[place][]*lane{}, paces: map[place]*rate.Limiter{}} }

// Turn is one activity's place in the room.
type Turn struct {
	room    *Room
	cluster domain.RayCluster
	handle  domain.Handle
	reports chan report // holds the latest report that the activity hasn't taken yet

	// Guarded by the room's lock.
	lane *lane     // nil while the turn isn't waited for
	due  time.Time // when the next report is due
}

// report is an observation of a turn, or why there is none.
type report struct {
	seen *domain.Observation // a pointer, since thousands of turns have room for one
	err  error
}

// Turn returns a place for a turn. The room waits for the turn from the first [Turn.Next] until [Turn.Leave].
func (r *Room) Turn(cluster domain.RayCluster, handle domain.Handle) *Turn {
	return &Turn{room: r, cluster: cluster, handle: handle, reports: make(chan report, 1)}
}

// Next returns the next observation of the turn: it has ended, it still runs, or there was no answer, as the
// Observation then says. The error is the context's, [ErrStopping] once the channel is closed, or one that isn't a
// [domain.Error].
func (t *Turn) Next(ctx context.Context, stopping <-chan struct{}) (*domain.Observation, error) {
	if ctx.Err() == nil && !closed(stopping) {
		t.room.enter(t) //nolint:contextcheck // a wait is for many turns and outlives each of them
	}
	select {
	case next := <-t.reports:
		return next.seen, next.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-stopping:
		return nil, ErrStopping
	}
}

func closed(channel <-chan struct{}) bool {
	select {
	case <-channel:
		return true
	default:
		return false
	}
}

func (t *Turn) Leave() {
	t.room.mu.Lock()
	defer t.room.mu.Unlock()
	t.leave()
}

// leave needs the room's lock.
func (t *Turn) leave() {
	if t.lane == nil {
		return
	}
	delete(t.lane.turns, t)
	if len(t.lane.turns) == 0 {
		t.room.close(t.lane)
	}
	t.lane = nil
}

// enter puts the turn into a lane, unless it is in one.
func (r *Room) enter(t *Turn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.lane != nil {
		return
	}
	at := place{t.handle.Cluster, t.handle.Runner, t.handle.Incarnation}
	t.due = time.Now().Add(firstReport)
	for _, open := range r.lanes[at] {
		if len(open.turns) < domain.MaxAwaited {
			t.lane = open
			open.turns[t] = struct{}{}
			open.askSoon()
			return
		}
	}
	t.lane = newLane(r, at, t.cluster, r.pace(at))
	t.lane.turns[t] = struct{}{}
	r.lanes[at] = append(r.lanes[at], t.lane)
	go t.lane.run()
}

// pace returns the pace of the last lane at this place, or a new one. It needs the lock.
func (r *Room) pace(at place) *rate.Limiter {
	maps.DeleteFunc(r.paces, func(_ place, old *rate.Limiter) bool { return old.Tokens() >= atOnce })
	pace, known := r.paces[at]
	if !known {
		return rate.NewLimiter(rate.Every(endPause), atOnce)
	}
	delete(r.paces, at)
	return pace
}

// close ends a lane without turns. It needs the lock.
func (r *Room) close(closed *lane) {
	left := slices.DeleteFunc(r.lanes[closed.at], func(open *lane) bool { return open == closed })
	if r.lanes[closed.at] = left; len(left) == 0 {
		delete(r.lanes, closed.at)
	}
	r.paces[closed.at] = closed.pace
	closed.stop()
}

// put replaces a report that the activity hasn't taken yet. Only the turn's lane calls it.
func (t *Turn) put(next report) {
	select {
	case <-t.reports:
	default:
	}
	t.reports <- next
}
