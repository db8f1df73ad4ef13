package workflows_test

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// script is what the turns of one agent come to, attempt by attempt; the last one repeats.
type script []attempt

type attempt struct {
	reply[contract.TurnOutcome]

	atStop *contract.TurnOutcome // what the stop finds, when the turn had ended before it
}

func (s script) of(number int) attempt {
	if len(s) == 0 {
		return attempt{reply: answer("a proposal", 0.5)}
	}
	return s[min(number, len(s))-1]
}

var stoppedByUs = contract.TurnOutcome{
	Kind: domain.OutcomeLost, Message: "stopped on Ray by somebody else", Usage: contract.Usage{CompletionTokens: 1},
}

func answer(proposal string, score float64) reply[contract.TurnOutcome] {
	return reply[contract.TurnOutcome]{out: contract.TurnOutcome{
		Kind: domain.OutcomeCompleted, Proposal: proposal, Reasoning: "because", Score: score,
		Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 5}, Calls: 1, DurationMS: 1200,
	}}
}

func failure(kind domain.FailureKind, retryable bool) reply[contract.TurnOutcome] {
	return reply[contract.TurnOutcome]{out: contract.TurnOutcome{
		Kind: domain.OutcomeFailed, ErrorType: kind, Message: "it broke", Retryable: retryable,
		Usage: contract.Usage{PromptTokens: 10, CompletionTokens: 1}, Calls: 1,
	}}
}

func lost() reply[contract.TurnOutcome] {
	return reply[contract.TurnOutcome]{out: contract.TurnOutcome{Kind: domain.OutcomeLost, Message: "runner runner/a/0 was restarted"}}
}

func unreachable() reply[contract.TurnOutcome] {
	return reply[contract.TurnOutcome]{out: contract.TurnOutcome{Kind: domain.OutcomeUnreachable, Message: "connection refused"}}
}

func (r reply[Out]) in(after time.Duration) reply[Out] {
	r.after = after
	return r
}

func never() attempt { return attempt{reply: reply[contract.TurnOutcome]{after: forever}} }

func replies(said ...reply[contract.TurnOutcome]) script {
	s := script{}
	for _, r := range said {
		s = append(s, attempt{reply: r})
	}
	return s
}

func fatal(kind domain.FailureKind) error {
	return temporal.NewNonRetryableApplicationError("submit to local: refused", string(kind), nil)
}
