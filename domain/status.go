package domain

// DeliberationStatus is how a deliberation stands: a closed set.
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

// JobStatus is the status in Ray's words; accepted tells that Ray has the turns.
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

// Closed tells a deliberation that has ended.
func (s DeliberationStatus) Closed() bool {
	return s == StatusCompleted || s == StatusFailed || s == StatusCancelled
}
