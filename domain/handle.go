package domain

import "time"

// Handle is what a submit answered and history recorded: where a turn lives on Ray.
type Handle struct {
	TurnID      TurnID
	Cluster     string
	Runner      string
	Incarnation string
}

// IsZero tells a turn that was never accepted.
func (h Handle) IsZero() bool { return h.TurnID == "" }

// Submission is the turns of one deliberation that are put to a Ray cluster together: all are accepted
// by one runner, or none is.
type Submission struct {
	Owner        string
	Deliberation string
	OriginalRun  string // tells an id's run from one that it is started with anew; a reset keeps it
	Request      DeliberationRequest
	Turns        []Turn
	Run          time.Duration // the runner ends a turn by itself after this
	Keep         time.Duration // the runner keeps an outcome that nobody forgets for this long
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
