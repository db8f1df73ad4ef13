package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
)

// cancelWithin bounds the wait for the end of a cancelled run. Stopping its turns on Ray takes 20 s at most.
const cancelWithin = 30 * time.Second

func (c *cli) cancelCommand() *cobra.Command {
	reason := ""
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel a deliberation and wait for its end",
		Long: `Cancel a deliberation and wait, 30 seconds at most, until it has ended: its work on Ray is stopped first.

ID is a deliberation id or a task id. A deliberation that has already ended stays as it is, exit code 0.
Exit code 1: it has not ended in time, but the request stands. Exit code 3: not found.`,
		Example: `  starter cancel deliberation-T-42
  starter cancel T-42 --reason "the story was dropped"`,
		Args: oneID,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error { return c.cancel(ctx, run, reason) }),
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; the history keeps it")
	return cmd
}

func (c *cli) cancel(ctx context.Context, run runs.Run, reason string) error {
	if run.Open() {
		err := c.server.requestCancel(ctx, run, reason)
		if err == nil {
			return c.awaitCancelled(ctx, run)
		}
		if _, ended := errors.AsType[*serviceerror.NotFound](err); !ended {
			return err
		}
	}
	end, err := c.server.Ending(ctx, run)
	if err != nil {
		return err
	}
	return c.showCancelled(run, end, true)
}

func (c *cli) awaitCancelled(ctx context.Context, run runs.Run) error {
	waiting, stop := context.WithCancel(ctx) // a deadline would make Temporal's calls fail as if it were away
	defer stop()
	defer time.AfterFunc(cancelWithin, stop).Stop()
	t, err := c.follow(waiting, run, newLines(c.stderr))
	switch {
	case ctx.Err() != nil:
		return interrupted(run.ID, "its cancellation was requested")
	case waiting.Err() != nil:
		return &exit{
			code: exitFailed, err: fmt.Errorf("%s has not ended within %s; its cancellation was requested", run.ID, cancelWithin),
			hint: "is a worker running? look: starter status " + terminal.ShellWord(run.ID),
		}
	case err != nil:
		return err
	}
	end, err := t.Ending(run.ID)
	if err != nil {
		return err
	}
	return c.showCancelled(run, end, false)
}

// requestCancel cancels with a reason, which the client's own CancelWorkflow doesn't take.
func (s server) requestCancel(ctx context.Context, run runs.Run, reason string) error {
	_, err := s.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: s.Namespace, Identity: "starter", Reason: reason,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.ID, RunId: run.RunID},
	})
	return err
}

// fromOutside says how a run ended that could neither decide nor announce it itself.
var fromOutside = map[string]string{string(domain.Terminated): "terminated", string(domain.TimedOut): "timed out"}

func (c *cli) showCancelled(run runs.Run, end runs.Ending, already bool) error {
	message := cmp.Or(fromOutside[end.ErrorType], string(end.Status))
	switch {
	case already:
		message = "already " + message
	case end.Status != domain.StatusCancelled:
		message += " before the cancellation took effect"
	}
	answer := submitted{Status: end.Status, DeliberationID: run.ID, RunID: run.RunID, Message: message}
	return c.show(answer, func() {
		c.printf("%s %s\n", untrusted.Printable(run.ID), c.paint(terminal.StatusColour(end.Status), message))
	})
}
