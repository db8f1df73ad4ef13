package main

import (
	"context"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) requestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "request ID",
		Short: "Print the request that a deliberation was started with",
		Long: `Print the request that a deliberation was started with, as one JSON object: what run -f takes, to start the
task again or another one like it.

ID is a deliberation id, or a task id. No worker is needed. Exit code 3: not found.`,
		Example: `  starter request T-42
  starter request T-42 > T-42.json && starter run -f T-42.json --rerun`,
		Args:              oneID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: c.ofFound(func(ctx context.Context, e execution) error {
			request, err := contract.Recorded(ctx, c.server.Client, e.id, e.runID)
			if err != nil {
				return err
			}
			return c.printJSON(request)
		}),
	}
}
