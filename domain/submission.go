package domain

import "time"

// Handle is what a submit answered and history recorded: where a turn lives on Ray.
type Handle struct {
	TurnID      TurnID
	Cluster     string
	Runner      string
	Incarnation string
}

// IsZero reports whether the turn was never accepted.
func (h Handle) IsZero() bool { return h.TurnID == "" }

// Submission is what one deliberation asks of a Ray cluster together: all asks are accepted by one
// runner, or none is.
type Submission struct {
	Owner        string
	Deliberation string
	OriginalRun  string // tells a run from an earlier one of the same deliberation id; a reset keeps it
	TaskID       string
	Role         string
	Common       map[string]string // texts that the prompts refer to
	Asks         []Ask
	Run          time.Duration // the runner ends a turn by itself after this
	Keep         time.Duration // the runner keeps an outcome that nobody forgets for this long
}

// Submission is what the turns of one phase ask together. The caller adds who asks, and for how long.
func (r DeliberationRequest) Submission(turns []Turn) Submission {
	submission := Submission{TaskID: r.taskID, Role: r.role}
	for _, turn := range turns {
		submission.Common = r.CommonTexts(turn.Phase().Kind)
		submission.Asks = append(submission.Asks, r.Ask(turn))
	}
	return submission
}

// Acceptance is where accepted turns live. Cancelled are those that had been stopped before they came.
type Acceptance struct {
	Handles   []Handle
	Cancelled []TurnID
}

// StopOrder names turns to stop or forget. A handle without a runner is a turn whose submit wasn't
// answered: the Ray app finds it by the deliberation.
type StopOrder struct {
	Owner        string
	Deliberation string
	Handles      []Handle
	Reason       string
}
