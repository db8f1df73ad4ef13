package activities

import (
	"context"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

const (
	pageSize   = 1000 // the server's maximum
	mostActive = 500  // running jobs that are listed; all are counted
	spare      = 500  // more of them are read, since some end while the others are listed
)

// countDeliberations reads visibility: what runs first, then what has ended, so that a run which ends in
// between is in the second list and is taken out of the first. A run is never in neither.
func (s set) countDeliberations(ctx context.Context, _ workflows.CountInput) (workflows.CountResult, error) {
	asOf := time.Now().UTC()
	running := map[string]bool{}
	jobs := []workflows.ActiveJob{}
	err := s.list(ctx, "Running", func(run *workflowpb.WorkflowExecutionInfo) {
		running[run.GetExecution().GetRunId()] = true
		if len(jobs) < mostActive+spare {
			jobs = append(jobs, activeJob(run))
		}
	})
	if err != nil {
		return workflows.CountResult{}, err
	}
	var ended domain.StatsSpec
	for _, status := range []string{"Completed", "Failed", "Canceled", "Terminated", "TimedOut"} {
		err := s.list(ctx, status, func(run *workflowpb.WorkflowExecutionInfo) {
			delete(running, run.GetExecution().GetRunId())
			tally(&ended, run)
		})
		if err != nil {
			return workflows.CountResult{}, err
		}
	}
	jobs = slices.DeleteFunc(jobs, func(job workflows.ActiveJob) bool { return !running[job.RunID] })
	ended.Active = int64(len(running))
	stats, err := domain.NewExecutionStats(ended)
	if err != nil {
		return workflows.CountResult{}, err
	}
	return workflows.CountResult{Stats: workflows.StatsOf(stats, asOf), Jobs: jobs[:min(len(jobs), mostActive)], AsOf: asOf}, nil
}

func tally(into *domain.StatsSpec, run *workflowpb.WorkflowExecutionInfo) {
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		into.Completed++
		// Two hosts' clocks: one run that ended before it began must not end the count.
		took := max(0, run.GetCloseTime().AsTime().Sub(run.GetStartTime().AsTime()))
		into.Executions = append(into.Executions, took)
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		into.Failed++
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		into.Cancelled++
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		into.Terminated++
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		into.TimedOut++
	default: // running again, or continued: not an end
	}
}

func (s set) list(ctx context.Context, status string, each func(*workflowpb.WorkflowExecutionInfo)) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: pageSize,
		Query:    fmt.Sprintf("WorkflowType='%s' AND ExecutionStatus='%s'", workflows.DeliberationName, status),
	}
	for {
		activity.RecordHeartbeat(ctx, status)
		page, err := s.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return err
		}
		for _, run := range page.GetExecutions() {
			each(run)
		}
		if len(page.GetNextPageToken()) == 0 {
			return nil
		}
		request.NextPageToken = page.GetNextPageToken()
	}
}

func activeJob(run *workflowpb.WorkflowExecutionInfo) workflows.ActiveJob {
	job := workflows.ActiveJob{
		WorkflowID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId(),
		Start: run.GetStartTime().AsTime(),
	}
	memo := run.GetMemo().GetFields()
	read := converter.GetDefaultDataConverter()
	for key, target := range map[string]*string{workflows.MemoTaskID: &job.TaskID, workflows.MemoRole: &job.Role} {
		if payload := memo[key]; payload != nil {
			_ = read.FromPayload(payload, target) // a memo of another shape is shown as none
		}
	}
	return job
}
