package domain

import (
	"fmt"
	"strings"
	"time"
)

// JobInfo describes a deliberation as a job. Call [JobInfo.Check] before you show one.
type JobInfo struct {
	DeliberationID string // the job's submission id
	RunID          string
	TaskID         string
	Role           string
	Status         string // in Ray's words
	Start          time.Time
	End            time.Time // zero while it runs
}

// Check checks that the job is complete; the error is [Faults].
func (j JobInfo) Check() error {
	var faults Faults
	if strings.TrimSpace(j.RunID) == "" {
		faults.Add("job_id", "cannot be empty")
	}
	if strings.TrimSpace(j.DeliberationID) == "" {
		faults.Add("submission_id", "cannot be empty")
	}
	if j.Start.Unix() < 0 {
		faults.Add("start_time_seconds", "cannot be negative, got %d", j.Start.Unix())
	}
	return faults.OrNil()
}

// ID returns `<workflow id>/<run id>`.
func (j JobInfo) ID() string { return j.DeliberationID + "/" + j.RunID }

func (j JobInfo) Name() string { return fmt.Sprintf("deliberation %s (%s)", j.TaskID, j.Role) }

// RuntimeAt returns how long the job has run by now, or until its end, in whole minutes and seconds: `5m 30s`.
func (j JobInfo) RuntimeAt(now time.Time) string {
	if !j.End.Before(j.Start) { // the zero time is before any start
		now = j.End
	}
	seconds := max(0, int64(now.Sub(j.Start)/time.Second))
	return fmt.Sprintf("%dm %ds", seconds/60, seconds%60)
}
