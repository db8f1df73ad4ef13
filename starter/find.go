package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// notFound is the answer for an unknown id.
type notFound struct {
	DeliberationID string                    `json:"deliberation_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Result         *contract.AgentResult     `json:"result"`
	ErrorMessage   string                    `json:"error_message"`
}

// withRun makes a command that finds the run which its argument names.
func (c *cli) withRun(do func(ctx context.Context, run runs.Run) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		run, err := c.find(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return do(cmd.Context(), run)
	}
}

func (c *cli) find(ctx context.Context, id string) (runs.Run, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return runs.Run{}, err
	}
	run, err := s.Find(ctx, id)
	if _, missing := errors.AsType[*runs.NotFoundError](err); missing {
		answer := notFound{DeliberationID: id, Status: domain.StatusNotFound, ErrorMessage: "Deliberation ID not found"}
		return runs.Run{}, c.refuse(answer, &exit{code: exitNotFound, err: err, hint: "starter list shows those that there are"})
	}
	return run, err
}
