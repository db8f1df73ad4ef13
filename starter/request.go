package main

import (
	"context"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) requestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "request ID",
		Short: "Print the request that a deliberation was started with",
		Long: `Print the request that a deliberation was started with, as one JSON object. run -f takes it, to start the
task again or another one like it.

ID is a deliberation id or a task id. No worker is needed. Exit code 3: not found.`,
		Example: `  starter request T-42
  starter request T-42 > T-42.json && starter run -f T-42.json --rerun`,
		Args: oneID,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error {
			request, err := contract.Recorded(ctx, c.server, run.ID, run.RunID)
			if err != nil {
				return err
			}
			return c.printJSON(request)
		}),
	}
}
