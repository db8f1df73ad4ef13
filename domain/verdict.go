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

// VerdictKind is what an observation means.
type VerdictKind string

// Verdicts. Unreachable is never failed: the work may be running.
const (
	VerdictRunning     VerdictKind = "running"
	VerdictSucceeded   VerdictKind = "succeeded"
	VerdictFailed      VerdictKind = "failed"
	VerdictLost        VerdictKind = "lost"
	VerdictUnreachable VerdictKind = "unreachable"
)

// Verdict is what an observation means for the turn, and why.
type Verdict struct {
	Kind    VerdictKind
	Failure TurnFailure // of a failed turn
	Reason  string      // of a lost or unreachable one
}

// Judge decides what an observation of the turn behind handle means. A result always counts, whoever
// brings it; silence is never failure; and a turn is lost only when somebody who must know it says
// that it is gone.
func Judge(handle Handle, seen Observation) Verdict {
	switch {
	case seen.Denied != "":
		return Verdict{Kind: VerdictFailed, Failure: NewTurnFailure(RayDenied, seen.Denied, false)}
	case seen.Unreachable != "" && seen.State != RayCompleted:
		return Verdict{Kind: VerdictUnreachable, Reason: seen.Unreachable}
	}
	switch seen.State {
	case RayCompleted:
		return Verdict{Kind: VerdictSucceeded}
	case RayFailed:
		return Verdict{Kind: VerdictFailed, Failure: seen.Failure}
	case RayQueued, RayRunning:
		return Verdict{Kind: VerdictRunning}
	case RayCancelled:
		return Verdict{Kind: VerdictLost, Reason: "stopped on Ray by somebody else"}
	case RayUnknown:
		return Verdict{Kind: VerdictLost, Reason: lostReason(handle, seen)}
	}
	return Verdict{Kind: VerdictUnreachable, Reason: fmt.Sprintf("the Ray app speaks of an unknown state %s", Quote(string(seen.State)))}
}

func lostReason(handle Handle, seen Observation) string {
	switch seen.Incarnation {
	case "":
		return fmt.Sprintf("runner %s no longer exists", handle.Runner)
	case handle.Incarnation:
		return fmt.Sprintf("runner %s has no such turn", handle.Runner)
	}
	return fmt.Sprintf("runner %s was restarted", handle.Runner)
}
