package domain

import (
	"fmt"
	"strings"
	"time"
)

// RayState is the state of a turn, as a live runner reports it.
type RayState string

// States of a turn on Ray. A runner answers RayUnknown only if it is alive and has no such turn.
const (
	RayQueued    RayState = "queued"
	RayRunning   RayState = "running"
	RayCompleted RayState = "completed"
	RayFailed    RayState = "failed"
	RayCancelled RayState = "cancelled"
	RayUnknown   RayState = "unknown"
)

// Runs reports whether a turn in this state hasn't ended.
func (s RayState) Runs() bool { return s == RayQueued || s == RayRunning }

// Observation is what one look at a turn on Ray showed.
type Observation struct {
	TurnID      TurnID
	State       RayState
	Incarnation string // of the runner that answered; empty when no such runner exists
	Progress    Progress
	Waiting     Waiting       // while the model server puts calls off
	Completion  Completion    // when completed
	Failure     TurnFailure   // when failed or cancelled
	Usage       Usage         // what was paid so far, in any state
	Unreachable string        // why there was no answer from the turn's runner; empty when there was one
	RetryAfter  time.Duration // how long the app wants not to be asked; 0 when it said nothing
}

// Runs reports whether the turn is seen not to have ended.
func (o Observation) Runs() bool { return o.Unreachable == "" && o.State.Runs() }

// Waiting says what a turn waits for while its model server puts calls off. The zero value means that it
// doesn't wait.
type Waiting struct {
	Reason  string // names the model and the status
	Status  int
	Since   time.Time
	NextTry time.Time
}

// String describes the wait for people; it is empty when there is none.
func (w Waiting) String() string {
	if w.Reason == "" {
		return ""
	}
	return fmt.Sprintf("%s; since %s, next try %s UTC", w.Reason, w.Since.UTC().Format(time.TimeOnly), w.NextTry.UTC().Format(time.TimeOnly))
}

// Progress is how much of an answer has come so far.
type Progress struct{ Tokens int }

// Completion is a model's whole answer, before it is read.
type Completion struct {
	Text           string
	ReasoningText  string // the model's thoughts if the text is next to empty: some servers mistake the answer for thoughts
	FinishReason   string
	Model          string
	ResponseFormat string
	Usage          Usage
	Duration       time.Duration
	FirstToken     time.Duration
}

// finishLength is the finish reason of an answer that was cut at the token limit. If it was cut at another
// limit, the server's word for it follows in parentheses.
const finishLength = "length"

// cut reports whether the answer was cut at a limit.
func (c Completion) cut() bool {
	return c.FinishReason == finishLength || strings.HasPrefix(c.FinishReason, finishLength+" (")
}

// partial reports whether the answer may be incomplete: it was cut, or its end is missing.
func (c Completion) partial() bool { return c.cut() || c.FinishReason == "" }

// cutFailure is the failure of an answer that was cut; said is its text without the thoughts. A model that only
// thought would think beyond the limit again, and be paid again.
func (c Completion) cutFailure(said string) TurnFailure {
	switch {
	case said == "":
		return NewTurnFailure(Truncated, "all tokens were thoughts, and no answer came; raise protocol.max_tokens, "+
			"or let the model think less through protocol.extra_body", false)
	case c.FinishReason != finishLength:
		return NewTurnFailure(Truncated, "the answer was cut before it was complete: "+c.FinishReason, true)
	}
	return NewTurnFailure(Truncated, "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens", true)
}
