// Package sweep ends work on Ray that nobody waits for any more: the work of runs that were terminated, timed out or
// deleted. Otherwise such work would run until its run_seconds are over. It also frees the places of outcomes whose run
// ended without forgetting them. Otherwise Ray would keep them for an hour and longer.
package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/periodic"
)

const (
	// MinAge is how old work must be: Temporal may not list the run of younger work yet.
	MinAge = 2 * time.Minute

	every = 3 * time.Minute
	// perSecond bounds the deliberations that a worker asks Temporal about each second, for all clusters together.
	perSecond = 20
	// atOnce keeps a runner that doesn't answer from delaying the others.
	atOnce = 8
	// within bounds the time for one deliberation.
	within = 30 * time.Second
)

// NewPace returns the pace at which one worker asks Temporal.
func NewPace() *rate.Limiter { return rate.NewLimiter(perSecond, 1) }

// Sweeper looks for left-over work on a worker's clusters.
type Sweeper struct {
	Runs     Runs
	Clusters map[string]Cluster // by name
	Owner    string             // the namespace's id
	MinAge   time.Duration
	Pace     *rate.Limiter
	Log      *slog.Logger
}

// Watch sweeps all clusters now and every few minutes, until the context ends.
func (s Sweeper) Watch(ctx context.Context) { periodic.Every(ctx, every, s.sweepAll) }

func (s Sweeper) sweepAll(ctx context.Context) {
	var sweeping sync.WaitGroup
	for name := range s.Clusters {
		sweeping.Go(func() {
			if err := s.Sweep(ctx, name); err != nil && ctx.Err() == nil {
				s.Log.Warn("left-over work not ended; it is looked for again", "cluster", name, "error", err)
			}
		})
	}
	sweeping.Wait()
}

// Sweep looks at all work of a cluster. After an error about one deliberation it continues with the others.
func (s Sweeper) Sweep(ctx context.Context, cluster string) error {
	held, err := s.Clusters[cluster].Turns(ctx, s.Owner)
	if err != nil {
		return err
	}
	if len(held.Unheard) > 0 {
		s.Log.Warn("runners don't answer; their left-over work is looked for again", "cluster", cluster, "runners", held.Unheard)
	}
	works := worksOf(held.Turns, cluster, s.MinAge)
	failures := make([]error, len(works))
	var ending errgroup.Group
	ending.SetLimit(atOnce)
	for i, work := range works {
		ending.Go(func() error {
			failures[i] = s.end(ctx, cluster, work)
			return nil
		})
	}
	_ = ending.Wait() // the errors are in failures
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if len(failures) > 0 {
		return fmt.Errorf("%d of %d deliberations: %w", len(failures), len(works), failures[0])
	}
	return nil
}

// end ends work that has no open run, also if its workflow id was started again. It first announces the run's end: only
// the work leads to the run.
func (s Sweeper) end(ctx context.Context, cluster string, work work) error {
	if err := s.Pace.Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	latest, open, err := s.Runs.latest(ctx, work.deliberation, work.originalRun)
	if err != nil || open {
		return err
	}
	if s.Runs.announces(latest) {
		if err := s.Runs.announce(ctx, latest, work.taskID); final(err) {
			s.Log.Error("the end of a run can't be announced", "deliberation_id", work.deliberation, "error", err)
		} else if err != nil {
			return fmt.Errorf("announce the end of %s: %w", domain.Quote(work.deliberation), err)
		}
		// The run may have been reset meanwhile. Then another run continues with the same turns.
		if err := s.Pace.Wait(ctx); err != nil {
			return err
		}
		if _, open, err = s.Runs.latest(ctx, work.deliberation, work.originalRun); err != nil || open {
			return err
		}
	}
	stopped, err := work.remove(ctx, s.Clusters[cluster], s.Owner)
	if stopped > 0 {
		s.Log.Warn("left-over work stopped: its deliberation has no open run", "deliberation_id", work.deliberation,
			"cluster", cluster, "turns", stopped)
	}
	return err
}

// final reports whether asking Temporal again can't help.
func final(err error) bool {
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return denied || invalid
}
