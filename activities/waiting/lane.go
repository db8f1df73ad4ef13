package waiting

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
)

const (
	// joinPause is how long turns that come during a wait gather before it is broken off and asked again with them.
	joinPause = 250 * time.Millisecond
	// endPause is how long ends gather under load: requests are at least this far apart, except for a few.
	endPause = 100 * time.Millisecond
	// atOnce is how many requests may follow one another without a pause, so that a few turns don't wait for others.
	atOnce = 4
	// hastyPause keeps an app from being flooded that answers before anything has happened.
	hastyPause = time.Second
	// silenceFor is how long nobody must answer before the turns hear of it. One lost connection would otherwise make
	// hundreds of activities fail.
	silenceFor = 2 * time.Second
)

// errJoined ends a request because other turns are to be waited for as well.
var errJoined = errors.New("other turns have joined")

// lane is a wait for at most [domain.MaxAwaited] turns of one runner, one request at a time.
type lane struct {
	room    *Room
	at      place
	cluster domain.RayCluster
	ctx     context.Context //nolint:containedctx // the lane's life: it ends with the last turn, and no caller waits for it
	stop    context.CancelFunc
	pace    *rate.Limiter
	silent  time.Time // since when nobody has answered; zero after an answer

	// Guarded by the room's lock.
	turns map[*Turn]struct{}
	open  *request      // nil between two requests
	late  time.Duration // how long after its time the app's last answer came
}

// request is one that is under way.
type request struct {
	turns  map[domain.TurnID][]*Turn
	wait   time.Duration
	asked  time.Time
	cancel context.CancelCauseFunc
	soon   *time.Timer // ends the request because of turns that joined; nil while there are none
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
			l.silent = time.Time{}
			l.handOut(asked, seen)
		case l.ctx.Err() == nil && !errors.Is(context.Cause(ctx), errJoined):
			l.unanswered(asked, err)
		}
		cancel(nil)
	}
}

// ask begins a request for all turns. It lasts until one of them is due to be heard of.
func (l *lane) ask(cancel context.CancelCauseFunc) *request {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	l.open = &request{turns: map[domain.TurnID][]*Turn{}, wait: nextWord, asked: time.Now(), cancel: cancel}
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
	if asked.soon != nil {
		asked.soon.Stop()
	}
}

// askSoon breaks the open request off for the sake of a turn that has just joined. A request whose answer is due
// stays: turns that keep coming must not hide that nobody answers. It needs the room's lock.
func (l *lane) askSoon() {
	if l.open == nil || l.open.soon != nil || time.Until(l.open.asked.Add(l.open.wait)) <= joinPause {
		return
	}
	cancel := l.open.cancel
	// An app that is slow gets the time to answer: otherwise turns that keep coming would let no answer through.
	gather := max(joinPause, 2*l.late)
	l.open.soon = time.AfterFunc(time.Until(l.open.asked.Add(gather)), func() { cancel(errJoined) })
}

// handOut gives each turn what was seen of it, and keeps those that still run.
func (l *lane) handOut(asked *request, seen []domain.Observation) {
	ended := false
	l.room.mu.Lock()
	for _, observation := range seen {
		stays := observation.Runs()
		ended = ended || !stays
		for _, turn := range asked.turns[observation.TurnID] {
			l.hand(turn, news{seen: observation}, stays)
		}
	}
	if !ended {
		l.late = max(0, time.Since(asked.asked)-asked.wait)
	}
	l.room.mu.Unlock()
	if !ended {
		pause(l.ctx, min(asked.wait, hastyPause)-time.Since(asked.asked))
	}
}

// hand needs the room's lock. A turn that has left meanwhile hears nothing.
func (l *lane) hand(turn *Turn, word news, stays bool) {
	if turn.lane != l {
		return
	}
	turn.tell(word)
	turn.due = time.Now().Add(nextWord)
	if !stays {
		turn.leave()
	}
}

// unanswered asks again after a moment, or lets the turns know once nobody has answered for long enough.
func (l *lane) unanswered(asked *request, err error) {
	failed, ours := errors.AsType[*domain.Error](err)
	if !ours {
		l.giveUp(asked, func(domain.TurnID) news { return news{err: err} })
		return
	}
	now := time.Now()
	if l.silent.IsZero() {
		l.silent = now
	}
	later := max(failed.RetryAfter, joinPause)
	overdue := now.Sub(asked.asked) > asked.wait+silenceFor
	if !overdue && now.Add(later).Sub(l.silent) <= silenceFor {
		pause(l.ctx, later)
		return
	}
	l.silent = time.Time{}
	l.giveUp(asked, func(id domain.TurnID) news {
		return news{seen: domain.Observation{TurnID: id, Unreachable: failed.Err.Error(), RetryAfter: failed.RetryAfter}}
	})
}

func (l *lane) giveUp(asked *request, word func(domain.TurnID) news) {
	l.room.mu.Lock()
	defer l.room.mu.Unlock()
	for id, turns := range asked.turns {
		for _, turn := range turns {
			l.hand(turn, word(id), false)
		}
	}
}

// handles are those of the turns, each once.
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
