package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// refreshWithin bounds the wait for a count.
const refreshWithin = 30 * time.Second

func (c *cli) statsCommand() *cobra.Command {
	refresh := false
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how many deliberations there are, and how long they took",
		Long: `Show how many deliberations there are, how they ended, how long the completed ones took, and what each phase
cost in all of them.

The numbers are as old as their last count, a minute at most; --refresh counts now.`,
		Example: `  starter stats
  starter stats --refresh --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.connectToStats(cmd.Context()); err != nil {
				return err
			}
			var stats contract.Stats
			var err error
			if refresh {
				err = c.server.refresh(cmd.Context(), &stats)
			} else {
				err = c.server.askStats(cmd.Context(), contract.QueryStats, &stats)
			}
			if err != nil {
				return err
			}
			return c.show(stats, func() { c.printStats(stats) })
		},
	}
	cmd.Flags().BoolVar(&refresh, "refresh", false, "count now, instead of showing the last count")
	return cmd
}

// connectToStats connects, and fails if nobody counts.
func (c *cli) connectToStats(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	stats, err := s.Describe(ctx, contract.StatsID, "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing || (err == nil && !stats.Open()) {
		return &exit{
			code: exitFailed, err: fmt.Errorf("workflow %q is not running, so nothing is counted", contract.StatsID),
			hint: "a worker starts it: start one in namespace " + s.Namespace,
		}
	}
	return err
}

func (s server) askStats(ctx context.Context, query string, into any) error {
	asking, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	answer, err := s.QueryWorkflow(asking, contract.StatsID, "", query)
	if err != nil {
		return unanswered(err)
	}
	return answer.Get(into)
}

func (s server) refresh(ctx context.Context, into any) error {
	asking, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	update, err := s.UpdateWorkflow(asking, client.UpdateWorkflowOptions{
		WorkflowID: contract.StatsID, UpdateName: contract.UpdateRefresh, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = update.Get(asking, into)
	}
	if err != nil {
		return unanswered(err)
	}
	return nil
}

// unanswered explains that no worker answered in time. Temporal itself has just answered.
func unanswered(err error) error {
	if !runs.MayAnswerLater(err) {
		return err
	}
	return &exit{
		code: exitFailed, err: fmt.Errorf("no worker answered for workflow %q", contract.StatsID),
		hint: "is a worker running? starter doctor asks; starter jobs --watch and starter list need none",
	}
}

func (c *cli) printStats(stats contract.Stats) {
	lines := [][2]any{
		{"deliberations", stats.Total},
		{"  active", stats.Active},
		{"  completed", stats.Completed},
		{"  failed", stats.Failed},
		{"    timed out", stats.TimedOut},
		{"    terminated", stats.Terminated},
		{"  cancelled", stats.Cancelled},
		{"average time", milliseconds(int64(stats.AverageMS))},
		{"p50, p95", milliseconds(int64(stats.P50MS)) + ", " + milliseconds(int64(stats.P95MS))},
	}
	for _, kind := range domain.PhaseKinds() {
		if usage, paid := stats.UsageByPhase[kind]; paid {
			lines = append(lines, [2]any{kind, phaseCost(usage)})
		}
	}
	lines = append(lines,
		[2]any{"counting for", (time.Duration(stats.UptimeSeconds) * time.Second).String()},
		[2]any{"counted at", cmp.Or(when(&stats.AsOf), "not yet")},
	)
	for _, line := range lines {
		c.printf("%-15s %v\n", line[0], line[1])
	}
}
