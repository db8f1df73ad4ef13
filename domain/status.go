package domain

// DeliberationStatus is the status of a deliberation. The set is closed.
type DeliberationStatus string

// The statuses.
const (
	StatusSubmitted DeliberationStatus = "submitted"
	StatusRunning   DeliberationStatus = "running"
	StatusCompleted DeliberationStatus = "completed"
	StatusFailed    DeliberationStatus = "failed"
	StatusNotFound  DeliberationStatus = "not_found"
	StatusCancelled DeliberationStatus = "cancelled"
)

// JobStatus returns the status in Ray's words; accepted means that Ray has accepted the turns.
func (s DeliberationStatus) JobStatus(accepted bool) string {
	switch s {
	case StatusCompleted:
		return "SUCCEEDED"
	case StatusFailed, StatusNotFound:
		return "FAILED"
	case StatusCancelled:
		return "STOPPED"
	case StatusSubmitted, StatusRunning:
	}
	if accepted {
		return "RUNNING"
	}
	return "PENDING"
}

// Closed reports whether the deliberation has ended.
func (s DeliberationStatus) Closed() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCancelled
}
