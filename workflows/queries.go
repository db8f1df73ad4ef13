package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func (d *deliberation) answerQueries(ctx workflow.Context) error {
	status := workflow.QueryHandlerOptions{Description: "status, phase and agents of the deliberation"}
	err := workflow.SetQueryHandlerWithOptions(ctx, contract.QueryStatus, func() (contract.Status, error) { return d.statusAt(wallClock()), nil }, status)
	if err != nil {
		return err
	}
	job := workflow.QueryHandlerOptions{Description: "the deliberation as a job, with its runtime"}
	return workflow.SetQueryHandlerWithOptions(ctx, contract.QueryJob, func() (contract.Job, error) { return d.jobAt(wallClock()) }, job)
}

func (d *deliberation) statusAt(now time.Time) contract.Status {
	status := contract.Status{
		DeliberationID: d.run.key.WorkflowID, Status: d.shown.status, Phase: d.shown.phase, Round: d.shown.round, WaitingFor: d.shown.waitingFor,
		Agents: contract.AgentStatusesOf(d.council), Result: d.shown.best, StartedAt: &d.run.started, AsOf: now,
	}
	if d.shown.status.Closed() {
		status.ClosedAt = &d.shown.closed
		if d.shown.failure != "" {
			status.ErrorMessage = &d.shown.failure
		}
	}
	return status
}

func (d *deliberation) jobAt(now time.Time) (contract.Job, error) {
	return contract.JobOf(domain.JobInfo{
		DeliberationID: d.run.key.WorkflowID, RunID: d.run.id, TaskID: d.request().TaskID(), Role: d.request().Role(),
		Status: d.shown.status.JobStatus(d.shown.onRay), Start: d.run.started, End: d.shown.closed,
	}, now)
}

// wallClock is only for query handlers. Their answers aren't part of the history, and the workflow's own clock
// stands still between workflow tasks.
//
//workflowcheck:ignore
func wallClock() time.Time { return time.Now().UTC() } //nolint:forbidigo // see above
