package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

const (
	// leftoversEvery is how often left-over work is looked for.
	leftoversEvery = 3 * time.Minute
	// leftoversAge spares what is so young that Temporal may not tell of its run yet.
	leftoversAge = 2 * time.Minute
	// leftoversPace is how many deliberations a worker asks Temporal about in a second, in all clusters.
	leftoversPace = 20
	// leftoversAtOnce keeps a runner that doesn't answer from holding up those behind it.
	leftoversAtOnce = 8
	// leftoverWithin bounds what one deliberation may take.
	leftoverWithin = 30 * time.Second
)

// holder lists, stops and forgets the turns of a cluster; a Ray client does.
type holder interface {
	Turns(ctx context.Context, owner string) (ray.Inventory, error)
	Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error)
	Forget(ctx context.Context, order domain.StopOrder) error
}

// leftovers ends work on Ray that nobody waits for any more: of runs that were terminated, timed out or
// deleted from outside. Without it such work ends by its own run_seconds. It also frees the places of
// outcomes whose run has ended without forgetting them; without it they are kept for an hour and more.
type leftovers struct {
	runs     endings
	clusters map[string]holder
	owner    string
	age      time.Duration
	pace     *rate.Limiter
	log      *slog.Logger
}

// leftover is the work of one run of a deliberation on one cluster.
type leftover struct {
	deliberation string
	originalRun  string // empty of what an older worker submitted
	taskID       string
	working      []domain.Handle
	ended        []domain.Handle
}

// watch looks at once and then every few minutes, until the context ends. No cluster waits for another.
func (l leftovers) watch(ctx context.Context) {
	tick := time.NewTicker(leftoversEvery)
	defer tick.Stop()
	for {
		var sweeping sync.WaitGroup
		for name := range l.clusters {
			sweeping.Go(func() {
				if err := l.sweep(ctx, name); err != nil && ctx.Err() == nil {
					l.log.Warn("left-over work not ended; it is looked for again", "cluster", name, "error", err)
				}
			})
		}
		sweeping.Wait()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep looks at all work of a cluster. What fails of one deliberation keeps no other from being looked at.
func (l leftovers) sweep(ctx context.Context, cluster string) error {
	held, err := l.clusters[cluster].Turns(ctx, l.owner)
	if err != nil {
		return err
	}
	if len(held.Unheard) > 0 {
		l.log.Warn("runners don't answer; what is left over there is looked for again", "cluster", cluster, "runners", held.Unheard)
	}
	works := l.old(held.Turns, cluster)
	failures := make([]error, len(works))
	var looking errgroup.Group
	looking.SetLimit(leftoversAtOnce)
	for i, work := range works {
		looking.Go(func() error {
			failures[i] = l.end(ctx, cluster, work)
			return nil
		})
	}
	_ = looking.Wait() // each has its own place above
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if len(failures) > 0 {
		return fmt.Errorf("%d of %d deliberations: %w", len(failures), len(works), failures[0])
	}
	return nil
}

// old is the work that isn't so young that its run may be unknown, by run.
func (l leftovers) old(held []ray.HeldTurn, cluster string) []leftover {
	found := map[string]leftover{}
	for _, turn := range held {
		if turn.AgeSeconds <= l.age.Seconds() {
			continue
		}
		run := turn.Labels[ray.LabelRun]
		key := turn.Deliberation + "\x00" + run
		work := found[key]
		work.deliberation, work.originalRun, work.taskID = turn.Deliberation, run, turn.Labels["task_id"]
		if turn.State == domain.RayQueued || turn.State == domain.RayRunning {
			work.working = append(work.working, turn.Handle(cluster))
		} else {
			work.ended = append(work.ended, turn.Handle(cluster))
		}
		found[key] = work
	}
	works := make([]leftover, 0, len(found))
	for _, key := range slices.Sorted(maps.Keys(found)) {
		works = append(works, found[key])
	}
	return works
}

// end ends work without an open run, also where its id was started anew. The run's end is announced first, since
// nothing leads to a run whose work was stopped. That takes Temporal, which has just answered, and not NATS.
func (l leftovers) end(ctx context.Context, cluster string, work leftover) error {
	if err := l.pace.Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leftoverWithin)
	defer cancel()
	last, open, err := l.runs.last(ctx, work.deliberation, work.originalRun)
	if err != nil || open {
		return err
	}
	if l.runs.announces(last) {
		if err := l.runs.announce(ctx, last, work.taskID); refused(err) {
			l.log.Error("the end of a run can't be announced", "deliberation_id", work.deliberation, "error", err)
		} else if err != nil {
			return fmt.Errorf("announce the end of %s: %w", domain.Quote(work.deliberation), err)
		}
		// A reset may have come meanwhile: its run goes on with the same turns.
		if err := l.pace.Wait(ctx); err != nil {
			return err
		}
		if _, open, err = l.runs.last(ctx, work.deliberation, work.originalRun); err != nil || open {
			return err
		}
	}
	return l.clear(ctx, cluster, work)
}

// refused tells an error of Temporal's that asking again doesn't change.
func refused(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return denied || invalid
}

// clear takes the work from Ray.
func (l leftovers) clear(ctx context.Context, cluster string, work leftover) error {
	order := domain.StopOrder{Owner: l.owner, Deliberation: work.deliberation, Reason: "no open run"}
	if order.Handles = work.working; len(order.Handles) > 0 {
		seen, err := l.clusters[cluster].Stop(ctx, order)
		if err != nil {
			return err
		}
		if still := unended(seen); still > 0 {
			return fmt.Errorf("%d of %d turns of %s not seen to stop", still, len(seen), domain.Quote(work.deliberation))
		}
		l.log.Warn("left-over work stopped: its deliberation has no open run", "deliberation_id", work.deliberation,
			"cluster", cluster, "turns", len(work.working))
	}
	if order.Handles = work.ended; len(order.Handles) > 0 {
		return l.clusters[cluster].Forget(ctx, order)
	}
	return nil
}

// unended counts the turns that may run on.
func unended(seen []domain.Observation) int {
	still := 0
	for _, turn := range seen {
		if turn.State == domain.RayQueued || turn.State == domain.RayRunning || turn.Unreachable != "" || turn.Denied != "" {
			still++
		}
	}
	return still
}
