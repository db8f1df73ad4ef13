package main

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

// runsClient is what is needed of Temporal to know of runs and to announce their ends.
type runsClient interface {
	contract.History
	runs.Starter
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// endings reads how runs ended.
type endings struct {
	temporal  runsClient
	taskQueue string // of the outboxes that announce
	events    bool   // whether events are wanted
}

// last is a deliberation's latest run, and whether it is open and of the run that began as original; none when it
// was deleted. It asks for the run itself: lists of runs lag behind.
func (r endings) last(ctx context.Context, deliberation, original string) (last *workflowpb.WorkflowExecutionInfo, open bool, err error) {
	described, err := r.temporal.DescribeWorkflowExecution(ctx, deliberation, "")
	if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted {
		return nil, false, nil
	}
	last = described.GetWorkflowExecutionInfo()
	if err != nil || last.GetCloseTime() != nil {
		return last, false, err
	}
	open, err = r.is(ctx, last, original)
	return last, open, err
}

// is tells whether a run is the one that began as original; so is what a reset made of it.
func (r endings) is(ctx context.Context, run *workflowpb.WorkflowExecutionInfo, original string) (bool, error) {
	runID := run.GetExecution().GetRunId()
	if original == "" || original == runID {
		return true, nil
	}
	began, err := runs.OriginalRun(ctx, r.temporal, run.GetExecution().GetWorkflowId(), runID)
	return began == original, err
}

// announces tells that a run was ended from outside, and that events are wanted.
func (r endings) announces(run *workflowpb.WorkflowExecutionInfo) bool {
	status := run.GetStatus()
	outside := status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED || status == enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
	return r.events && outside
}

// announce publishes `failed` for a run that was ended from outside. One that ended by itself has told of
// it, and one that was reset goes on in another.
func (r endings) announce(ctx context.Context, run *workflowpb.WorkflowExecutionInfo, taskID string) error {
	if !r.announces(run) {
		return nil
	}
	execution := workflow.Execution{ID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId()}
	end, known, err := runs.ReadOutsideEnd(ctx, r.temporal, execution)
	if err != nil || !known || end.Reset {
		return err
	}
	return runs.AnnounceOutside(ctx, r.temporal, r.taskQueue, runs.OutsideRun{
		Execution: execution, TaskID: taskID, Started: run.GetStartTime().AsTime(), End: end,
	})
}
