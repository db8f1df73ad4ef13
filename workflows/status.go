package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// Status is the answer of the query `status`: what the workflow knew at its last task.
type Status struct {
	DeliberationID string                    `json:"deliberation_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Phase          string                    `json:"phase"`
	Round          int                       `json:"round"`
	WaitingFor     string                    `json:"waiting_for"`
	Agents         []AgentStatus             `json:"agents"`
	Result         *AgentResult              `json:"result"`
	ErrorMessage   *string                   `json:"error_message"`
	StartedAt      *time.Time                `json:"started_at"`
	ClosedAt       *time.Time                `json:"closed_at"`
	AsOf           time.Time                 `json:"as_of"`
}

// AgentStatus is where one agent stands.
type AgentStatus struct {
	AgentID      string            `json:"agent_id"`
	Role         string            `json:"role"`
	Model        string            `json:"model"`
	State        domain.AgentState `json:"state"`
	Attempt      int               `json:"attempt"`
	SubmissionID string            `json:"submission_id"`
	Cluster      string            `json:"cluster"`
}

// Job is the answer of the query `job`.
type Job struct {
	JobID            string `json:"job_id"`
	Name             string `json:"name"`
	Status           string `json:"status"`
	SubmissionID     string `json:"submission_id"`
	Role             string `json:"role"`
	TaskID           string `json:"task_id"`
	StartTimeSeconds int64  `json:"start_time_seconds"`
	Runtime          string `json:"runtime"`
}

// JobOf maps the domain's job.
func JobOf(job domain.JobInfo, now time.Time) Job {
	return Job{
		JobID: job.ID(), Name: job.Name(), Status: job.Status(), SubmissionID: job.SubmissionID(),
		Role: job.Role(), TaskID: job.TaskID(), StartTimeSeconds: job.StartSeconds(), Runtime: job.RuntimeAt(now),
	}
}

func (d *deliberation) answerQueries(ctx workflow.Context) error {
	status := workflow.QueryHandlerOptions{Description: "status, phase and agents of the deliberation"}
	err := workflow.SetQueryHandlerWithOptions(ctx, QueryStatus, func() (Status, error) { return d.statusAt(wallClock()), nil }, status)
	if err != nil {
		return err
	}
	job := workflow.QueryHandlerOptions{Description: "the deliberation as a job, with its runtime"}
	return workflow.SetQueryHandlerWithOptions(ctx, QueryJob, func() (Job, error) { return d.jobAt(wallClock()) }, job)
}

func (d *deliberation) statusAt(now time.Time) Status {
	status := Status{
		DeliberationID: d.key.WorkflowID, Status: d.status, Phase: d.phase, WaitingFor: d.waitingFor,
		Agents: []AgentStatus{}, Result: d.best, StartedAt: &d.started, AsOf: now,
	}
	for _, seat := range d.council.Seats() {
		status.Agents = append(status.Agents, AgentStatus{
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

func (d *deliberation) jobAt(now time.Time) (Job, error) {
	id := d.key.WorkflowID
	job, err := domain.NewJobInfo(domain.JobSpec{
		JobID: id + "/" + d.runID, Name: domain.JobName(d.request.TaskID(), d.request.Role()),
		Status: d.status.JobStatus(d.accepted), SubmissionID: id, Role: d.request.Role(), TaskID: d.request.TaskID(),
		Start: d.started, End: d.closed,
	})
	if err != nil {
		return Job{}, err
	}
	return JobOf(job, now), nil
}

// wallClock is for query handlers only: their answers aren't part of the history, and the workflow's
// own clock stands still between its tasks.
//
//workflowcheck:ignore
func wallClock() time.Time { return time.Now().UTC() } //nolint:forbidigo // see above
