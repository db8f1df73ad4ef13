package sweep

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// Temporal is the part of a Temporal client that a sweep needs.
type Temporal interface {
	contract.History
	runs.Starter
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Runs finds out how runs ended, and announces ends from outside.
type Runs struct {
	Temporal  Temporal
	TaskQueue string // of the outboxes that announce ends
	Events    bool   // whether events are published
}

// latest returns the latest run of a deliberation, nil if it was deleted, and whether it is open and continues the run
// with the id original. It describes the run, since lists of runs may be late.
func (r Runs) latest(ctx context.Context, deliberation, original string) (latest *workflowpb.WorkflowExecutionInfo, open bool, err error) {
	described, err := r.Temporal.DescribeWorkflowExecution(ctx, deliberation, "")
	if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted {
		return nil, false, nil
	}
	latest = described.GetWorkflowExecutionInfo()
	if err != nil || latest.GetCloseTime() != nil {
		return latest, false, err
	}
	open, err = r.continues(ctx, latest, original)
	return latest, open, err
}

// continues reports whether a run is the one with the id original, or a reset of it.
func (r Runs) continues(ctx context.Context, run *workflowpb.WorkflowExecutionInfo, original string) (bool, error) {
	runID := run.GetExecution().GetRunId()
	if original == runID {
		return true, nil
	}
	began, err := runs.OriginalRun(ctx, r.Temporal, run.GetExecution().GetWorkflowId(), runID)
	return began == original, err
}

// announces reports whether a run was ended from outside and events are published.
func (r Runs) announces(run *workflowpb.WorkflowExecutionInfo) bool {
	status := run.GetStatus()
	outside := status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED || status == enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
	return r.Events && outside
}

// announce publishes `failed` for a run that was ended from outside. It announces nothing for a reset run, which
// continues as another run.
func (r Runs) announce(ctx context.Context, run *workflowpb.WorkflowExecutionInfo, taskID string) error {
	execution := workflow.Execution{ID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId()}
	end, known, err := runs.ReadOutsideEnd(ctx, r.Temporal, execution)
	if err != nil || !known || end.Reset {
		return err
	}
	return runs.AnnounceOutside(ctx, r.Temporal, r.TaskQueue, runs.OutsideRun{
		Execution: execution, TaskID: taskID, Started: run.GetStartTime().AsTime(), End: end,
	})
}
