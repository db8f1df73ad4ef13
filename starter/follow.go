package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
)

// refreshEvery is how often the heartbeats of the pending activities are looked at.
const refreshEvery = time.Second

// await shows a run's progress until it ends, and then its outcome.
func (c *cli) await(ctx context.Context, run runs.Run) error {
	t, err := c.follow(ctx, run)
	switch {
	case ctx.Err() != nil:
		return interrupted(run.ID, "it goes on")
	case err != nil:
		return err
	}
	end, err := t.Ending(run.ID)
	if err != nil {
		return err
	}
	return c.showEnding(run, end)
}

// follow waits until the run has ended, and shows its progress meanwhile. It reads the history, so it sees
// the end at once and asks nothing of a worker. If Temporal is away, it waits. When ctx ends, so does the
// wait; the run goes on.
func (c *cli) follow(ctx context.Context, run runs.Run) (*runs.Timeline, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	t, progress := runs.NewTimeline(), terminal.NewProgress(c.stderr)
	defer progress.Clear()
	history := c.server.Follow(listening, run)
	refresh := time.NewTicker(refreshEvery)
	defer refresh.Stop()
	for !t.Ended() {
		select {
		case next := <-history:
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case next.Err != nil && !runs.MayAnswerLater(next.Err):
				return nil, next.Err
			case next.Err != nil:
				progress.Away(c.server.address)
				t = runs.NewTimeline() // the history comes again, from its first event
				continue
			}
			t.Take(next.Event)
			progress.Agents(runs.OpenView(run, t))
		case <-refresh.C:
			if c.server.Refresh(ctx, &run, runs.AnswersWithin) {
				progress.Back()
			} else {
				progress.Away(c.server.address)
			}
			progress.Show(runs.OpenView(run, t))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return t, nil
}

// interrupted is the exit after Ctrl-C. It quotes the id for the shell if it must.
func interrupted(id, what string) error {
	return &exit{
		code: exitInterrupted,
		err:  errors.New("no longer waiting for " + id + "; " + what),
		hint: fmt.Sprintf("look: starter status %[1]s\n  wait again: starter result --wait %[1]s\n  end it: starter cancel %[1]s", terminal.ShellWord(id)),
	}
}
