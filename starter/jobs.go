package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

func (c *cli) jobsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "jobs",
		Short: "List the deliberations that run",
		Long:  `List the deliberations that run, the newest first, and for how long they have.`,
		Example: `  starter jobs
  starter jobs --json | jq -r '.jobs[].submission_id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.connectToStats(cmd.Context()); err != nil {
				return err
			}
			var active workflows.ActiveJobs
			err := c.server.askStats(cmd.Context(), workflows.QueryActiveJobs, &active)
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
}

func (c *cli) printJobs(active workflows.ActiveJobs) {
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
