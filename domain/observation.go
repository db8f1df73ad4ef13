package domain

import (
	"fmt"
	"time"
)

// RayState is what a live runner says of a turn.
type RayState string

// States of a turn on Ray. RayUnknown is only what a runner says that has no such turn.
const (
	RayQueued    RayState = "queued"
	RayRunning   RayState = "running"
	RayCompleted RayState = "completed"
	RayFailed    RayState = "failed"
	RayCancelled RayState = "cancelled"
	RayUnknown   RayState = "unknown"
)

// Observation is what one look at a turn on Ray showed.
type Observation struct {
	TurnID      TurnID
	State       RayState
	Incarnation string // of the runner that answered; empty when no such runner exists
	Progress    Progress
	Waiting     Waiting       // while the model server puts calls off
	Completion  Completion    // when completed
	Failure     TurnFailure   // when failed or cancelled
	Usage       Usage         // paid, whatever the state
	Unreachable string        // why nobody that speaks for the turn answered; empty when somebody did
	Denied      string        // why the Ray app refuses us; empty when it doesn't
	RetryAfter  time.Duration // how long to leave an app alone that is unreachable because it says so
}

// Waiting is what a turn waits for while its model server puts calls off; the zero value waits for nothing.
type Waiting struct {
	Reason  string // names the model and the status
	Status  int
	Since   time.Time
	NextTry time.Time
}

// String describes the wait for people; empty when there is none.
func (w Waiting) String() string {
	if w.Reason == "" {
		return ""
	}
	return fmt.Sprintf("%s; since %s, next try %s UTC", w.Reason, w.Since.UTC().Format(time.TimeOnly), w.NextTry.UTC().Format(time.TimeOnly))
}

// Progress is how far an answer has come.
type Progress struct {
	Tokens     int
	Characters int
}

// Completion is a model's whole answer, unread.
type Completion struct {
	Text           string
	ReasoningText  string // the model's thoughts when the text is empty: some servers take the answer for thoughts
	FinishReason   string
	Model          string
	ResponseFormat string
	Usage          Usage
	Duration       time.Duration
	FirstToken     time.Duration
}

// finishLength is the finish reason of an answer that was cut at the token limit.
const finishLength = "length"

// partial reports whether more may have been to come: the answer was cut, or nothing ended it.
func (c Completion) partial() bool { return c.FinishReason == finishLength || c.FinishReason == "" }
