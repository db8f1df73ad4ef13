package domain

import (
	"fmt"
	"strings"
	"time"
)

// JobInfo is a deliberation in the words of a job list.
type JobInfo struct {
	jobID        string
	name         string
	status       string
	submissionID string
	role         string
	taskID       string
	start        time.Time
	end          time.Time
}

// JobSpec is what a [JobInfo] is made of. End is zero while it runs.
type JobSpec struct {
	JobID        string
	Name         string
	Status       string
	SubmissionID string
	Role         string
	TaskID       string
	Start        time.Time
	End          time.Time
}

// NewJobInfo checks the spec; the error is [Faults].
func NewJobInfo(spec JobSpec) (JobInfo, error) {
	var faults Faults
	if strings.TrimSpace(spec.JobID) == "" {
		faults.Add("job_id", "cannot be empty")
	}
	if strings.TrimSpace(spec.SubmissionID) == "" {
		faults.Add("submission_id", "cannot be empty")
	}
	if spec.Start.Unix() < 0 {
		faults.Add("start_time_seconds", "cannot be negative, got %d", spec.Start.Unix())
	}
	if err := faults.OrNil(); err != nil {
		return JobInfo{}, err
	}
	return JobInfo{
		jobID: spec.JobID, name: spec.Name, status: spec.Status, submissionID: spec.SubmissionID,
		role: spec.Role, taskID: spec.TaskID, start: spec.Start.UTC(), end: spec.End.UTC(),
	}, nil
}

// JobName is the name of a deliberation's job.
func JobName(taskID, role string) string { return fmt.Sprintf("deliberation %s (%s)", taskID, role) }

// ID is `<workflow id>/<run id>`.
func (j JobInfo) ID() string { return j.jobID }

// Name is for people.
func (j JobInfo) Name() string { return j.name }

// Status is in Ray's words.
func (j JobInfo) Status() string { return j.status }

// SubmissionID is the deliberation id.
func (j JobInfo) SubmissionID() string { return j.submissionID }

// Role is the council's.
func (j JobInfo) Role() string { return j.role }

// TaskID is the caller's.
func (j JobInfo) TaskID() string { return j.taskID }

// StartSeconds is when it started, in whole seconds of Unix time.
func (j JobInfo) StartSeconds() int64 { return j.start.Unix() }

// RuntimeAt is how long it has run at that time, or ran, in whole minutes and seconds: `5m 30s`.
func (j JobInfo) RuntimeAt(now time.Time) string {
	if !j.end.Before(j.start) { // the zero time is before any start
		now = j.end
	}
	seconds := max(0, int64(now.Sub(j.start)/time.Second))
	return fmt.Sprintf("%dm %ds", seconds/60, seconds%60)
}
