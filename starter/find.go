package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// execution is a run of a deliberation as Temporal itself knows it.
type execution struct {
	id, runID string
	info      *workflowpb.WorkflowExecutionInfo
	pending   []*workflowpb.PendingActivityInfo
}

func (e execution) running() bool {
	switch e.info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return true
	default:
		return false
	}
}

// notFoundError tells an id that no deliberation has.
type notFoundError struct{ id string }

func (e *notFoundError) Error() string { return fmt.Sprintf("deliberation %q not found", e.id) }

// notFound is the answer about such an id.
type notFound struct {
	DeliberationID string                    `json:"deliberation_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Result         *contract.AgentResult     `json:"result"`
	ErrorMessage   string                    `json:"error_message"`
}

// find takes a deliberation id, or the task id that [contract.Start] made it of.
func (s server) find(ctx context.Context, id string) (execution, error) {
	for _, candidate := range []string{id, contract.WorkflowID(id)} {
		found, err := s.describe(ctx, candidate, "")
		var missing *serviceerror.NotFound
		switch {
		case errors.As(err, &missing):
			continue
		case err != nil:
			return execution{}, err
		case found.info.GetType().GetName() == contract.DeliberationName:
			return found, nil
		}
	}
	return s.findTask(ctx, id)
}

// findTask looks for a task whose deliberation was started under an id of another's choice: the one that
// runs, else the one that ended last. A namespace without the search attribute has no such list.
func (s server) findTask(ctx context.Context, taskID string) (execution, error) {
	for found, err := range s.list(ctx, deliberations().is(contract.AttributeTaskID.GetName(), taskID), 1) {
		switch {
		case err == nil:
			return s.describe(ctx, found.id, found.runID)
		case silent(err):
			return execution{}, err
		}
	}
	return execution{}, &notFoundError{taskID}
}

func (s server) describe(ctx context.Context, id, runID string) (execution, error) {
	described, err := s.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return execution{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	return execution{
		id: id, runID: info.GetExecution().GetRunId(), info: info, pending: described.GetPendingActivities(),
	}, nil
}

// found finds the deliberation of a command, or says that there is none.
func (c *cli) found(ctx context.Context, id string) (execution, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return execution{}, err
	}
	e, err := s.find(ctx, id)
	if _, missing := errors.AsType[*notFoundError](err); !missing {
		return e, err
	}
	if !c.json {
		return execution{}, &exit{code: exitNotFound, err: err, hint: "starter jobs lists what runs"}
	}
	answer := notFound{DeliberationID: id, Status: domain.StatusNotFound, ErrorMessage: "Deliberation ID not found"}
	if err := c.printJSON(answer); err != nil {
		return execution{}, err
	}
	return execution{}, ended(exitNotFound)
}

// ofFound is a command about the deliberation that its argument names.
func (c *cli) ofFound(do func(ctx context.Context, e execution) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		e, err := c.found(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return do(cmd.Context(), e)
	}
}

// memo is one text of the run's memo; empty when it has none.
func (e execution) memo(key string) string {
	payload, there := e.info.GetMemo().GetFields()[key]
	if !there {
		return ""
	}
	var value any
	if converter.GetDefaultDataConverter().FromPayload(payload, &value) != nil {
		return ""
	}
	return fmt.Sprint(value)
}
