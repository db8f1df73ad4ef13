package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) jobsCommand() *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the deliberations that run",
		Long: `List the deliberations that run, the newest first, with their runtimes.

They are counted now. If that takes too long, the last count is shown, which is a minute old at most; a
line says when it was.

--watch looks every two seconds at the newest 20: at their agents, and at the tokens so far. It needs no
worker, and draws in place on a terminal. Ctrl-C ends it, exit code 0. With --json each look is an object
on a line.`,
		Example: `  starter jobs
  starter jobs --watch
  starter jobs --json | jq -r '.jobs[].submission_id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return c.watch(cmd.Context())
			}
			if err := c.connectToStats(cmd.Context()); err != nil {
				return err
			}
			active, err := c.activeJobs(cmd.Context())
			if err != nil {
				return err
			}
			return c.show(active, func() { c.printJobs(active) })
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look every two seconds, until Ctrl-C")
	return cmd
}

// activeJobs first asks for the last count, which soon shows whether a worker is there to count again.
func (c *cli) activeJobs(ctx context.Context) (contract.ActiveJobs, error) {
	var last, active contract.ActiveJobs
	if err := c.server.askStats(ctx, contract.QueryActiveJobs, &last); err != nil {
		return last, err
	}
	if err := c.server.refresh(ctx, &contract.Stats{}); err != nil {
		c.warn("not counted now, so this is the last count: %s", err)
		return last, ctx.Err()
	}
	err := c.server.askStats(ctx, contract.QueryActiveJobs, &active)
	return active, err
}

func (c *cli) printJobs(active contract.ActiveJobs) {
	c.printf("%s, counted at %s\n", domain.Count(int(active.Total), "active deliberation"), cmp.Or(when(&active.AsOf), "no time yet"))
	if len(active.Jobs) == 0 {
		return
	}
	t := terminal.NewTable("deliberation", "role", "status", "runtime", "started")
	for _, job := range active.Jobs {
		started := time.Unix(job.StartTimeSeconds, 0)
		t.AppendRow([]any{
			untrusted.Inline(job.SubmissionID), untrusted.Inline(job.Role), untrusted.Inline(job.Status),
			untrusted.Inline(job.Runtime), when(&started),
		})
	}
	c.printf("\n%s\n", t.Render())
	if hidden := int(active.Total) - len(active.Jobs); hidden > 0 {
		c.printf("and %d more\n", hidden)
	}
}
