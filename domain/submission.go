package domain

import "time"

// Handle says where a turn lives on Ray. A submit returns it, and history records it.
type Handle struct {
	TurnID      TurnID
	Cluster     string
	Runner      string
	Incarnation string
}

// IsZero reports whether the turn was never accepted.
func (h Handle) IsZero() bool { return h.TurnID == "" }

// Submission is one request to a Ray cluster to run turns of a deliberation. One runner accepts all of them, or
// none is accepted.
type Submission struct {
	Owner        string
	Deliberation string
	OriginalRun  string // differs between runs of the same deliberation id; a reset keeps it
	TaskID       string
	Role         string
	Common       map[string]string // texts that the prompts refer to
	Asks         []Ask
	Run          time.Duration // the runner ends a turn by itself after this time
	Keep         time.Duration // the runner drops an outcome by itself after this time
	Repeated     bool          // these turns may have been submitted before, so any runner may have them
}

// Submission returns the asks of the turns of one phase. The caller adds the owner, the deliberation and the
// times.
func (r DeliberationRequest) Submission(turns []Turn, texts Texts) Submission {
	submission := Submission{TaskID: r.taskID, Role: r.role}
	for _, turn := range turns {
		submission.Common = r.CommonTexts(turn.Phase().Kind, texts)
		submission.Asks = append(submission.Asks, r.Ask(turn, texts))
	}
	return submission
}

// Acceptance says where accepted turns live. Cancelled lists turns that were stopped before they were
// submitted.
type Acceptance struct {
	Handles   []Handle
	Cancelled []TurnID
}

// StopOrder names turns to stop or to forget. If a submit wasn't answered, the turn's handle has no runner; then
// the Ray app finds the turn by the deliberation.
type StopOrder struct {
	Owner        string
	Deliberation string
	Handles      []Handle
	Reason       string
}
