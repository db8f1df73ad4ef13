package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
)

func (c *cli) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch ID",
		Short: "Watch a deliberation until it ends",
		Long: `Watch a deliberation until it ends: what each agent says, the ranking, the reviews and the budget. Then
its result is shown.

ID is a deliberation id or a task id. The text of agents comes from NATS, by the NATS_... variables as the
workers have them; without NATS_URL there are only states. What was said before the command began is shown
as far as NATS still has it: usually that of the last 15 minutes. Without a terminal, and with --no-view or
--json, the progress is lines on stderr.

Keys: tab chooses an agent; arrows, PgUp, PgDn, Home and End scroll its text; c cancels; s stops now and
ranks what is there; ? is the help. q and Ctrl-C leave; the deliberation goes on.`,
		Example: `  starter watch deliberation-T-42
  starter watch T-42 --no-view`,
		Args: oneID,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error {
			if !run.Open() {
				return c.outcome(ctx, run)
			}
			return c.await(ctx, run)
		}),
	}
}

// refreshEvery is the pause between two looks at the heartbeats of the pending activities.
const refreshEvery = time.Second

// errLeft means that the person left the view.
var errLeft = errors.New("left")

// await shows a run's progress until the run ends, and then its outcome.
func (c *cli) await(ctx context.Context, run runs.Run) error {
	t, err := c.follow(ctx, run, c.audience(ctx, run))
	switch {
	case ctx.Err() != nil || errors.Is(err, errLeft):
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

// follow waits until the run has ended, and shows its progress meanwhile. It reads the history, so it sees the end
// immediately and needs no worker. If Temporal is away, it waits. When ctx ends, only the wait ends.
func (c *cli) follow(ctx context.Context, run runs.Run, to audience) (*runs.Timeline, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	t := runs.NewTimeline()
	defer to.Close()
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
				to.Away(c.server.address)
				t = runs.NewTimeline() // after an error, the history comes again from its first event
				continue
			}
			t.Take(next.Event)
			to.Changed(runs.OpenView(run, t), t)
		case <-refresh.C:
			if c.server.Refresh(ctx, &run, runs.AnswersWithin) {
				to.Back()
			} else {
				to.Away(c.server.address)
			}
			to.Look(runs.OpenView(run, t), t)
		case <-to.Left():
			return nil, whyLeft(ctx, to)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return t, nil
}

// whyLeft returns errLeft, or the error by which the view has ended.
func whyLeft(ctx context.Context, to audience) error {
	if err := to.Failed(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the view has ended (--no-view shows lines): %w", err)
	}
	return errLeft
}

// interrupted returns the exit after Ctrl-C.
func interrupted(id, what string) error {
	return &exit{
		code: exitInterrupted,
		err:  errors.New("no longer waiting for " + id + "; " + what),
		hint: fmt.Sprintf("watch again: starter watch %[1]s\n  look: starter status %[1]s\n  wait again: starter result --wait %[1]s\n  end it: starter cancel %[1]s", terminal.ShellWord(id)),
	}
}
