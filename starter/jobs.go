package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) jobsCommand() *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the deliberations that run",
		Long: `List the deliberations that run, the newest first, and for how long they have.

They are counted now. Where that takes too long the last count is shown, a minute old at most; a line
says when it was.

--watch looks every two seconds, at the newest 20: their agents, and the tokens that heartbeats tell. It
needs no worker, and is drawn in place on a terminal. Ctrl-C ends it, exit code 0. With --json each look
is an object on a line.`,
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
			switch {
			case err != nil:
				return err
			case c.json:
				return c.printJSON(active)
			}
			c.printJobs(active)
			return nil
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look every two seconds, until Ctrl-C")
	return cmd
}

// activeJobs asks for the last count first: that also tells, soon, whether anybody is there to count.
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
	fmt.Fprintf(c.stdout, "%s, counted at %s\n", domain.Count(int(active.Total), "active deliberation"), first(when(&active.AsOf), "no time yet"))
	if len(active.Jobs) == 0 {
		return
	}
	t := newTable("deliberation", "role", "status", "runtime", "started")
	for _, job := range active.Jobs {
		started := time.Unix(job.StartTimeSeconds, 0)
		t.AppendRow([]any{inline(job.SubmissionID), inline(job.Role), inline(job.Status), job.Runtime, when(&started)})
	}
	fmt.Fprintf(c.stdout, "\n%s\n", t.Render())
	if hidden := int(active.Total) - len(active.Jobs); hidden > 0 {
		fmt.Fprintf(c.stdout, "and %d more\n", hidden)
	}
}
