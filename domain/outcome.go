package domain

import (
	"fmt"
	"time"
)

// OutcomeKind is the kind of an [Outcome]. Append only: it travels in histories.
type OutcomeKind string

// Kinds of outcomes. OutcomeUnreachable means that the cluster was away for longer than its grace. It is
// never a failure, since the turn may still run there.
const (
	OutcomeCompleted   OutcomeKind = "completed"
	OutcomeFailed      OutcomeKind = "failed"
	OutcomeLost        OutcomeKind = "lost"
	OutcomeUnreachable OutcomeKind = "unreachable"
	OutcomeCancelled   OutcomeKind = "cancelled"
	OutcomeRunning     OutcomeKind = "running"

	// OutcomeGivenUp means that the workflow no longer waits for the turn, and doesn't know its state on Ray.
	// It never travels.
	OutcomeGivenUp OutcomeKind = "given_up"
)

// Outcome is what a turn resulted in. It is a value: a failed turn isn't an error of the activity that
// waited for it.
type Outcome struct {
	Kind     OutcomeKind
	Answer   Answer      // when a proposal or a revision is completed
	Review   Review      // when a review is completed
	Failure  TurnFailure // when failed or given up
	Reason   string      // when lost or unreachable
	Usage    Usage
	Duration time.Duration
	Metadata map[string]string
}

// GivenUp returns the outcome of a turn that the workflow no longer waits for, because the activity failed
// or the time is over.
func GivenUp(failure TurnFailure) Outcome { return Outcome{Kind: OutcomeGivenUp, Failure: failure} }

// Ended reports whether a turn with this outcome no longer runs on Ray.
func (o Outcome) Ended() bool {
	switch o.Kind {
	case OutcomeCompleted, OutcomeFailed, OutcomeLost, OutcomeCancelled:
		return true
	case OutcomeUnreachable, OutcomeRunning, OutcomeGivenUp:
	}
	return false
}

// OutcomeOf returns the outcome of an observed turn, with its answer; reading says how the answer is read. It
// cuts the answer to maxAnswer bytes of Go's JSON encoding; the metadata says if it did.
func OutcomeOf(handle Handle, seen Observation, reading Reading, decode DecodeObject, maxAnswer int) Outcome {
	outcome := Judge(handle, seen)
	outcome.Usage = seen.Usage
	outcome.Metadata = map[string]string{"submission_id": string(handle.TurnID), "cluster": handle.Cluster}
	if outcome.Kind == OutcomeCompleted {
		return outcome.completed(seen.Completion, reading, decode, maxAnswer)
	}
	return outcome
}

// Judge decides what an observation of the handle's turn means, without reading its answer. A result always
// counts, whichever runner returns it. Silence is never a failure. A turn is lost only if its runner, or the
// app that looked for the runner, says that it is gone.
func Judge(handle Handle, seen Observation) Outcome {
	if seen.Unreachable != "" && seen.State != RayCompleted {
		return Outcome{Kind: OutcomeUnreachable, Reason: seen.Unreachable}
	}
	switch seen.State {
	case RayCompleted:
		return Outcome{Kind: OutcomeCompleted}
	case RayFailed:
		return Outcome{Kind: OutcomeFailed, Failure: seen.Failure}
	case RayQueued, RayRunning:
		return Outcome{Kind: OutcomeRunning}
	case RayCancelled:
		return Outcome{Kind: OutcomeLost, Reason: "stopped on Ray by somebody else"}
	case RayUnknown:
		return Outcome{Kind: OutcomeLost, Reason: lostReason(handle, seen)}
	}
	return Outcome{Kind: OutcomeUnreachable, Reason: fmt.Sprintf("the Ray app speaks of an unknown state %s", Quote(string(seen.State)))}
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

func (o Outcome) completed(done Completion, reading Reading, decode DecodeObject, maxAnswer int) Outcome {
	o.Duration = done.Duration
	if done.Usage != (Usage{}) {
		o.Usage = done.Usage
	}
	o.Metadata["finish_reason"] = label(done.FinishReason)
	if done.ResponseFormat != "" {
		o.Metadata["response_format"] = label(done.ResponseFormat)
	}
	if done.Model != "" {
		o.Metadata["model"], _ = CutEncoded(done.Model, MaxName) // the model that answered: a server may choose another one
	}
	cut := false
	if reading.Kind == PeerReview {
		o.Review, o.Failure = ReadReview(done, decode, reading)
		o.Review, cut = o.Review.Fit(maxAnswer)
	} else {
		o.Answer, o.Failure = o.answer(done, reading.Votes, decode)
		o.Answer, cut = o.Answer.Fit(maxAnswer)
	}
	switch {
	case o.Failure != (TurnFailure{}):
		o.Kind = OutcomeFailed
	case cut:
		o.Metadata["truncated"] = "true"
	}
	return o
}

// answer reads a proposal, and notes in the metadata how it was read.
func (o Outcome) answer(done Completion, votes bool, decode DecodeObject) (Answer, TurnFailure) {
	answer, failure, usable := ReadAnswer(done, decode)
	if usable {
		answer, failure = answer.withVote(votes)
	}
	if failure != (TurnFailure{}) {
		return Answer{}, failure
	}
	if answer.parse != "" {
		o.Metadata["parse"] = answer.parse
	}
	if answer.given != "" {
		o.Metadata["score_given"] = label(answer.given)
	}
	return answer, TurnFailure{}
}

// label cuts a word that the model server wrote: only the answer may be long.
func label(word string) string {
	cut, _ := CutEncoded(word, 64)
	return cut
}
