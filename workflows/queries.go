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
		DeliberationID: d.key.WorkflowID, Status: d.status, Phase: d.phase, WaitingFor: d.waitingFor,
		Agents: []contract.AgentStatus{}, Result: d.best, StartedAt: &d.started, AsOf: now,
	}
	for _, seat := range d.council.Seats() {
		status.Agents = append(status.Agents, contract.AgentStatus{
			AgentID: seat.Agent.ID(), Role: seat.Agent.Role(), Model: seat.Agent.Model(), State: seat.State,
			Attempt: seat.Attempt, SubmissionID: string(seat.TurnID), Cluster: seat.Cluster,
		})
	}
	if d.status.Closed() {
		status.ClosedAt = &d.closed
		if d.failure != "" {
			status.ErrorMessage = &d.failure
		}
	}
	return status
}

func (d *deliberation) jobAt(now time.Time) (contract.Job, error) {
	id := d.key.WorkflowID
	job, err := domain.NewJobInfo(domain.JobSpec{
		JobID: id + "/" + d.runID, Name: domain.JobName(d.request.TaskID(), d.request.Role()),
		Status: d.status.JobStatus(d.accepted), SubmissionID: id, Role: d.request.Role(), TaskID: d.request.TaskID(),
		Start: d.started, End: d.closed,
	})
	if err != nil {
		return contract.Job{}, err
	}
	return contract.JobOf(job, now), nil
}

// wallClock is for query handlers only: their answers aren't part of the history, and the workflow's
// own clock stands still between its tasks.
//
//workflowcheck:ignore
func wallClock() time.Time { return time.Now().UTC() } //nolint:forbidigo // see above
