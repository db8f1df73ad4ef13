package waiting

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
)

const (
	// joinPause is how long turns that join during a request gather before the request is repeated with them.
	joinPause = 250 * time.Millisecond
	// endPause is the shortest time between requests under load, in which the ends of turns gather.
	endPause = 100 * time.Millisecond
	// atOnce is how many requests may follow one another without a pause, so that a few turns don't wait for others.
	atOnce = 4
	// earlyPause is the shortest time between requests that bring no end: an app that answers too early is not flooded.
	earlyPause = time.Second
	// silenceFor is how long there must be no answer before the turns get that as their report. Otherwise one lost
	// connection would make hundreds of activities fail.
	silenceFor = 2 * time.Second
)

// errJoined ends a request because other turns have joined it.
var errJoined = errors.New("other turns have joined")

// lane is a wait for at most [domain.MaxAwaited] turns of one runner, one request at a time.
type lane struct {
	room    *Room
	at      place
	cluster domain.RayCluster
	ctx     context.Context //nolint:containedctx // ends with the lane's last turn; no caller waits for the lane
	stop    context.CancelFunc
	pace    *rate.Limiter

	silentSince time.Time // the first request without an answer; zero after an answer

	// Guarded by the room's lock.
	turns map[*Turn]struct{}
	open  *request      // nil between two requests
	lag   time.Duration // how long after its time the app's last answer came
}

// request is a call of Await that is under way.
type request struct {
	turns  map[domain.TurnID][]*Turn
	wait   time.Duration
	asked  time.Time
	cancel context.CancelCauseFunc

	joining *time.Timer // ends the request because turns have joined; nil while there are none
}

func newLane(room *Room, at place, cluster domain.RayCluster, pace *rate.Limiter) *lane {
	ctx, stop := context.WithCancel(context.Background())
	return &lane{room: room, at: at, cluster: cluster, ctx: ctx, stop: stop, pace: pace, turns: map[*Turn]struct{}{}}
}

// run asks until no turn is left.
func (l *lane) run() {
	for l.pace.Wait(l.ctx) == nil {
		ctx, cancel := context.WithCancelCause(l.ctx)
		asked := l.ask(cancel)
		seen, err := l.cluster.Await(ctx, asked.handles(), asked.wait)
		l.answered(asked)
		switch {
		case err == nil:
			l.silentSince = time.Time{}
			l.deliver(asked, seen)
		case l.ctx.Err() == nil && !errors.Is(context.Cause(ctx), errJoined):
			l.unanswered(asked, err)
		}
		cancel(nil)
	}
}

// ask begins a request for all turns. It lasts until the report of one of them is due.
func (l *lane) ask(cancel context.CancelCauseFunc) *request {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	l.open = &request{turns: map[domain.TurnID][]*Turn{}, wait: nextReport, asked: time.Now(), cancel: cancel}
	for turn := range l.turns {
		l.open.turns[turn.handle.TurnID] = append(l.open.turns[turn.handle.TurnID], turn)
		l.open.wait = max(0, min(l.open.wait, turn.due.Sub(l.open.asked)))
	}
	return l.open
}

func (l *lane) answered(asked *request) {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	l.open = nil
	if asked.joining != nil {
		asked.joining.Stop()
	}
}

// askSoon ends the open request for a turn that has just joined. A request whose answer is due stays, so that turns
// which keep coming don't hide that there is no answer. It needs the room's lock.
func (l *lane) askSoon() {
	if l.open == nil || l.open.joining != nil || time.Until(l.open.asked.Add(l.open.wait)) <= joinPause {
		return
	}
	cancel := l.open.cancel
	// A slow app gets more time to answer: otherwise turns that keep coming would cut off every answer.
	gather := max(joinPause, 2*l.lag)
	l.open.joining = time.AfterFunc(time.Until(l.open.asked.Add(gather)), func() { cancel(errJoined) })
}

// deliver gives each turn its observation, and keeps the turns that still run.
func (l *lane) deliver(asked *request, seen []domain.Observation) {
	ended := false
	l.room.mu.Lock()
	for _, observation := range seen {
		stays := observation.Runs()
		ended = ended || !stays
		for _, turn := range asked.turns[observation.TurnID] {
			own := observation // so that a turn which is slow to take it keeps no other turn's answer
			l.report(turn, report{seen: &own}, stays)
		}
	}
	if !ended {
		l.lag = max(0, time.Since(asked.asked)-asked.wait)
	}
	l.room.mu.Unlock()
	if !ended {
		pause(l.ctx, min(asked.wait, earlyPause)-time.Since(asked.asked))
	}
}

// report gives a turn its report, unless the turn has left meanwhile. It needs the room's lock.
func (l *lane) report(turn *Turn, got report, stays bool) {
	if turn.lane != l {
		return
	}
	turn.put(got)
	turn.due = time.Now().Add(nextReport)
	if !stays {
		turn.leave()
	}
}

// unanswered waits before the next request, or reports the silence to the turns when it has lasted long enough.
func (l *lane) unanswered(asked *request, err error) {
	failed, ours := errors.AsType[*domain.Error](err)
	if !ours {
		l.giveUp(asked, func(domain.TurnID) report { return report{err: err} })
		return
	}
	now := time.Now()
	if l.silentSince.IsZero() {
		l.silentSince = now
	}
	later := max(failed.RetryAfter, joinPause)
	overdue := now.Sub(asked.asked) > asked.wait+silenceFor
	if !overdue && now.Add(later).Sub(l.silentSince) <= silenceFor {
		pause(l.ctx, later)
		return
	}
	l.silentSince = time.Time{}
	l.giveUp(asked, func(id domain.TurnID) report {
		return report{seen: &domain.Observation{TurnID: id, Unreachable: failed.Err.Error(), RetryAfter: failed.RetryAfter}}
	})
}

func (l *lane) giveUp(asked *request, reportOf func(domain.TurnID) report) {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	for id, turns := range asked.turns {
		for _, turn := range turns {
			l.report(turn, reportOf(id), false)
		}
	}
}

// handles returns the handles of the turns, each once.
func (r *request) handles() []domain.Handle {
	handles := make([]domain.Handle, 0, len(r.turns))
	for _, turns := range r.turns {
		handles = append(handles, turns[0].handle)
	}
	return handles
}

func pause(ctx context.Context, long time.Duration) {
	if long <= 0 {
		return
	}
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
