package main

import (
	"context"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/runs"
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
		Args:              oneID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error {
			if !run.Open() {
				return c.outcome(ctx, run)
			}
			return c.await(ctx, run)
		}),
	}
}
