package domain

import (
	"maps"
	"strings"
	"time"
)

// OutcomeKind is what a turn came to. Append only: it travels in histories.
type OutcomeKind string

// Outcomes. OutcomeUnreachable is that of a cluster that stayed away for longer than its grace.
const (
	OutcomeCompleted   OutcomeKind = "completed"
	OutcomeFailed      OutcomeKind = "failed"
	OutcomeLost        OutcomeKind = "lost"
	OutcomeUnreachable OutcomeKind = "unreachable"
	OutcomeCancelled   OutcomeKind = "cancelled"
	OutcomeRunning     OutcomeKind = "running"
)

// Outcome is what a turn came to, as a value: a failed turn isn't an error of whoever waited for it.
type Outcome struct {
	Kind     OutcomeKind
	Answer   Answer      // when completed
	Failure  TurnFailure // when failed
	Reason   string      // when lost or unreachable
	Usage    Usage
	Duration time.Duration
	Metadata map[string]string
}

// OutcomeOf reads what was observed of a turn. maxAnswer bounds the answer in bytes of Go's JSON
// encoding; what is cut is named in the metadata.
func OutcomeOf(handle Handle, seen Observation, decode DecodeObject, maxAnswer int) Outcome {
	verdict := Judge(handle, seen)
	outcome := Outcome{Usage: seen.Usage, Metadata: map[string]string{
		"submission_id": string(handle.TurnID), "cluster": handle.Cluster,
	}}
	switch verdict.Kind {
	case VerdictSucceeded:
		return outcome.completed(seen.Completion, decode, maxAnswer)
	case VerdictFailed:
		outcome.Kind, outcome.Failure = OutcomeFailed, verdict.Failure
	case VerdictLost:
		outcome.Kind, outcome.Reason = OutcomeLost, verdict.Reason
	case VerdictUnreachable:
		outcome.Kind, outcome.Reason = OutcomeUnreachable, verdict.Reason
	case VerdictRunning:
		outcome.Kind = OutcomeRunning
	}
	return outcome
}

func (o Outcome) completed(done Completion, decode DecodeObject, maxAnswer int) Outcome {
	o.Duration = done.Duration
	if done.Usage != (Usage{}) {
		o.Usage = done.Usage
	}
	o.Metadata["finish_reason"] = label(done.FinishReason)
	if done.ResponseFormat != "" {
		o.Metadata["response_format"] = label(done.ResponseFormat)
	}
	answer, failure := done.answer(decode)
	if failure != (TurnFailure{}) {
		o.Kind, o.Failure = OutcomeFailed, failure
		return o
	}
	if answer.Parse() != "" {
		o.Metadata["parse"] = answer.Parse()
	}
	fitted, cut := answer.Fit(maxAnswer)
	if cut {
		o.Metadata["truncated"] = "true"
	}
	o.Kind, o.Answer = OutcomeCompleted, fitted
	return o
}

// FinishLength is the finish reason of an answer that was cut at the token limit.
const FinishLength = "length"

// answer reads what the model said, or says why that is no answer. What was cut, or has no known end,
// counts only if it has a whole object: the rest is then only rambling. Thoughts count only as an object.
func (c Completion) answer(decode DecodeObject) (Answer, TurnFailure) {
	text, thoughts := c.Text, strings.TrimSpace(c.Text) == "" && c.ReasoningText != ""
	if thoughts {
		text = c.ReasoningText
	}
	answer, usable := ReadAnswer(text, decode)
	whole := usable && answer.Parse() != ParsePlainText
	switch {
	case whole:
		return answer, TurnFailure{}
	case c.FinishReason == FinishLength:
		return Answer{}, NewTurnFailure(Truncated, "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens", true)
	case thoughts:
		return Answer{}, NewTurnFailure(InvalidOutput, "only the model's reasoning came, and no answer", true)
	case c.FinishReason == "":
		return Answer{}, NewTurnFailure(ModelUnavailable, "the stream ended without a finish_reason, and the answer is not complete", true)
	case !usable:
		return Answer{}, NewTurnFailure(InvalidOutput, "the answer has an empty proposal", true)
	}
	return answer, TurnFailure{}
}

// label bounds a word of the model server's: only the answer itself may be long.
func label(word string) string {
	cut, _ := CutEncoded(word, 64)
	return cut
}

// MetadataCopy is the outcome's metadata, the caller's to change.
func (o Outcome) MetadataCopy() map[string]string { return maps.Clone(o.Metadata) }

// RestoredAnswer is an answer that was read before and comes back from a history: nothing is checked
// again, so that a stricter rule can't break what is recorded.
func RestoredAnswer(proposal, reasoning string, score float64) Answer {
	return Answer{proposal: proposal, reasoning: reasoning, score: score}
}

// AnswerMaximum is how many bytes of Go's JSON encoding each of n agents may answer with: 64 KiB, and
// 1 MiB together, so that a phase that sends the task and all proposals fits a payload.
func AnswerMaximum(n int) int { return min(64<<10, (1<<20)/max(1, n)) }
