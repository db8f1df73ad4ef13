package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/domain"
)

// cancelWithin bounds the wait for a cancelled run's end; the stop of its turns on Ray takes 20 s at most.
const cancelWithin = 30 * time.Second

func (c *cli) cancelCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a deliberation and wait for its end",
		Long: `Cancel a deliberation and wait, 30 seconds at most, until it has ended: its work on Ray is stopped first.

ID is a deliberation id, or a task id. One that has ended already stays as it is, exit code 0. Exit code
1 when it has not ended in time; the request stands. Exit code 3: not found.`,
		Example: `  starter cancel deliberation-T-42
  starter cancel T-42 --reason "the story was dropped"`,
		Args:              oneID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              c.ofFound(func(ctx context.Context, e execution) error { return c.cancel(ctx, e, reason) }),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the history keeps it")
	return cmd
}

func (c *cli) cancel(ctx context.Context, e execution, reason string) error {
	already := !e.running()
	if !already {
		err := c.server.requestCancel(ctx, e, reason)
		var gone *serviceerror.NotFound // it ended in the meantime
		if already = errors.As(err, &gone); err != nil && !already {
			return err
		}
	}
	if already {
		end, err := c.server.ending(ctx, e)
		if err != nil {
			return err
		}
		return c.printCancelled(e, end, already)
	}
	waiting, stop := context.WithTimeout(ctx, cancelWithin)
	defer stop()
	t, err := c.follow(waiting, e)
	switch {
	case ctx.Err() != nil:
		return interrupted(e.id, "its cancellation was requested")
	case waiting.Err() != nil:
		return &exit{
			code: exitFailed, err: fmt.Errorf("%s has not ended within %s; its cancellation was requested", e.id, cancelWithin),
			hint: "is a worker running? look: starter status " + shellWord(e.id),
		}
	case err != nil:
		return err
	}
	end, err := t.ending(e.id)
	if err != nil {
		return err
	}
	return c.printCancelled(e, end, false)
}

// requestCancel is the client's own, which takes no reason, with one.
func (s server) requestCancel(ctx context.Context, e execution, reason string) error {
	_, err := s.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: s.namespace, Identity: "starter", Reason: reason,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: e.id, RunId: e.runID},
	})
	return err
}

func (c *cli) printCancelled(e execution, end ending, already bool) error {
	message := string(end.status)
	switch {
	case already:
		message = "already " + message
	case end.status != domain.StatusCancelled:
		message += " before the cancellation took effect"
	}
	if c.json {
		return c.printJSON(submitted{Status: end.status, DeliberationID: e.id, RunID: e.runID, Message: message})
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s\n", printable(e.id), c.paint(c.stdout, statusColour(end.status), message))
	return err
}
