package waiting

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
)

const (
	// firstWord is when a turn is first heard of: its heartbeat then shows that it is waited for.
	firstWord = 2 * time.Second
	// nextWord is the longest time between two words of a turn that runs. With the client's margin it is under the
	// heartbeat timeout.
	nextWord = 12 * time.Second
)

// Room holds the turns that a worker waits for. The zero value is not usable: see [NewRoom].
type Room struct {
	mu    sync.Mutex
	lanes map[place][]*lane
	paces map[place]*rate.Limiter // of lanes that have ended, for the next: many short turns are no reason to hurry
}

// place is what turns must have in common to share a request.
type place struct{ cluster, runner, incarnation string }

// NewRoom returns a room without turns.
func NewRoom() *Room { return &Room{lanes: map[place][]*lane{}, paces: map[place]*rate.Limiter{}} }

// Turn is one activity's place in the room.
type Turn struct {
	room    *Room
	cluster domain.RayCluster
	handle  domain.Handle
	news    chan news // holds the latest word that the activity hasn't taken yet

	// Guarded by the room's lock.
	lane *lane     // nil while the turn isn't waited for
	due  time.Time // when the turn must be heard of
}

// news is one word of a turn.
type news struct {
	seen domain.Observation
	err  error
}

// Turn returns a place for a turn. It is waited for from its first [Turn.Next] until [Turn.Leave].
func (r *Room) Turn(cluster domain.RayCluster, handle domain.Handle) *Turn {
	return &Turn{room: r, cluster: cluster, handle: handle, news: make(chan news, 1)}
}

// Next returns the next word of the turn: it has ended, it still runs, or nobody could be reached. In the last case
// the Observation says so, and the error is only the context's, or one that isn't a [domain.Error].
func (t *Turn) Next(ctx context.Context) (domain.Observation, error) {
	if err := ctx.Err(); err != nil {
		return domain.Observation{}, err
	}
	t.room.enter(t) //nolint:contextcheck // a wait is for many turns and outlives each of them
	select {
	case word := <-t.news:
		return word.seen, word.err
	case <-ctx.Done():
		return domain.Observation{}, ctx.Err()
	}
}

// Leave takes the turn out of the wait.
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
	t.due = time.Now().Add(firstWord)
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

// pace is that of the last lane at this place. It needs the lock.
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

// tell gives the turn a word in place of one that it hasn't taken yet. Only the turn's lane calls it.
func (t *Turn) tell(word news) {
	select {
	case <-t.news:
	default:
	}
	t.news <- word
}
