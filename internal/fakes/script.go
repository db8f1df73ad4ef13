package fakes

import (
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Script says how the turns of one agent end, attempt by attempt. The last attempt repeats. With an empty script, each
// turn gives a proposal.
type Script []Attempt

// Attempt says how one turn ends.
type Attempt struct {
	Reply[contract.TurnOutcome]

	AtStop *contract.TurnOutcome // the outcome that a stop finds; nil if the turn hadn't ended before the stop
}

func (s Script) attempt(number int) Attempt {
	if len(s) == 0 {
		return Attempt{Reply: Answer("a proposal", 0.5)}
	}
	return s[min(number, len(s))-1]
}

// Replies is a script of one reply for each attempt.
func Replies(said ...Reply[contract.TurnOutcome]) Script {
	s := Script{}
	for _, r := range said {
		s = append(s, Attempt{Reply: r})
	}
	return s
}

// Never is an attempt that runs until it is stopped.
func Never() Attempt { return Attempt{Reply: Reply[contract.TurnOutcome]{Delay: Forever}} }

// StoppedByUs is what a stop says of a turn that it ended.
var StoppedByUs = contract.TurnOutcome{Kind: domain.OutcomeCancelled, Usage: contract.Usage{CompletionTokens: 1}}

// StoppedBySomebody is what a wait says of a turn that a stop ended.
var StoppedBySomebody = contract.TurnOutcome{
	Kind: domain.OutcomeLost, Message: "stopped on Ray by somebody else", Usage: contract.Usage{CompletionTokens: 1},
}

// Answer is a turn that gave a proposal.
func Answer(proposal string, score float64) Reply[contract.TurnOutcome] {
	return Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{
		Kind: domain.OutcomeCompleted, Proposal: proposal, Reasoning: "because", Score: score,
		Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 5}, Calls: 1, DurationMS: 1200,
	}}
}

// Vote is a turn that gave a proposal with a short answer to be counted.
func Vote(answer string, score float64) Reply[contract.TurnOutcome] {
	said := Answer("it is "+answer, score)
	said.Value.Answer = answer
	return said
}

// LaterPhases scripts reviews that rank in the order in which they read, revisions that give a proposal, and a
// chair that writes a final answer.
func LaterPhases(ref contract.TurnRef) Script {
	switch ref.Phase {
	case domain.PeerReview:
		return Replies(Review(ref.Reads...))
	case domain.Synthesize:
		return Replies(Answer("the final answer", 0.9))
	case domain.Propose, domain.Revise:
	}
	return Replies(Answer("a revision by "+ref.AgentID, 0.6))
}

// Review is a turn that ranked proposals, the best first.
func Review(ranking ...domain.TurnID) Reply[contract.TurnOutcome] {
	review := &contract.Review{Ranking: ranking}
	for place, id := range ranking {
		mark := max(1, 5-place)
		review.Notes = append(review.Notes, contract.Note{
			Of: id, Critique: "good, but could be better",
			Marks: map[string]int{"accuracy": mark, "completeness": mark, "clarity": mark, "feasibility": mark},
		})
	}
	return Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{
		Kind: domain.OutcomeCompleted, Review: review, Usage: contract.Usage{PromptTokens: 20, CompletionTokens: 3}, Calls: 1, DurationMS: 800,
	}}
}

// Failure is a turn that ran and failed.
func Failure(kind domain.FailureKind, retryable bool) Reply[contract.TurnOutcome] {
	return Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{
		Kind: domain.OutcomeFailed, ErrorType: kind, Message: "it broke", Retryable: retryable,
		Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 1}, Calls: 1,
	}}
}

// Lost is a turn whose runner died.
func Lost() Reply[contract.TurnOutcome] {
	return Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{Kind: domain.OutcomeLost, Message: "runner runner/a/0 was restarted"}}
}

// Unreachable is a turn whose cluster has been away for longer than its grace.
func Unreachable() Reply[contract.TurnOutcome] {
	return Reply[contract.TurnOutcome]{Value: contract.TurnOutcome{Kind: domain.OutcomeUnreachable, Message: "connection refused"}}
}

// Fatal is an activity's error that isn't retried.
func Fatal(kind domain.FailureKind) error {
	return temporal.NewNonRetryableApplicationError("submit to local: refused", string(kind), nil)
}
