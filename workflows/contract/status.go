package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// Status is the answer to the query `status`: what the workflow knew at its last task.
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

// AgentStatus says what one agent does at the moment.
type AgentStatus struct {
	AgentID      string            `json:"agent_id"`
	Role         string            `json:"role"`
	Model        string            `json:"model"`
	State        domain.AgentState `json:"state"`
	Attempt      int               `json:"attempt"`
	SubmissionID string            `json:"submission_id"`
	Cluster      string            `json:"cluster"`
}

// AgentStatusesOf maps the council's seats, in request order.
func AgentStatusesOf(council domain.Council) []AgentStatus {
	return domain.Each(council.Seats(), AgentStatusOf)
}

// AgentStatusOf maps one seat.
func AgentStatusOf(seat domain.Seat) AgentStatus {
	return AgentStatus{
		AgentID: seat.Agent().ID(), Role: seat.Agent().Role(), Model: seat.Agent().Model(), State: seat.State(),
		Attempt: seat.Attempt(), SubmissionID: string(seat.TurnID()), Cluster: seat.Cluster(),
	}
}

// Job is the answer to the query `job`.
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

// JobOf checks and maps a job, with its runtime at that time.
func JobOf(job domain.JobInfo, now time.Time) (Job, error) {
	if err := job.Check(); err != nil {
		return Job{}, err
	}
	return Job{
		JobID: job.ID(), Name: job.Name(), Status: job.Status, SubmissionID: job.DeliberationID,
		Role: job.Role, TaskID: job.TaskID, StartTimeSeconds: job.Start.Unix(), Runtime: job.RuntimeAt(now),
	}, nil
}
