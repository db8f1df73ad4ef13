package raytest

import (
	"encoding/json"
	"fmt"
	"slices"

	"deliberation.io/deliberation/domain"
)

// Answer says what the scripted model does with one call. The zero value is a canned proposal.
type Answer struct {
	Text         string
	FinishReason string       // "stop" when empty
	Usage        domain.Usage // 20 and 10 tokens when zero; none if the request is refused
	Failure      domain.FailureKind
	Message      string          // of the failure
	PutOff       bool            // the server takes no call now; after a moment the runner asks again
	After        <-chan struct{} // the call lasts until this is closed; if nil, it ends immediately
}

// Proposal is an answer in the form that was asked for.
func Proposal(proposal string, score float64) Answer {
	text, err := json.Marshal(map[string]any{"proposal": proposal, "reasoning": "because", "score": score})
	if err != nil {
		panic(err) // the score isn't a number
	}
	return Answer{Text: string(text)}
}

// Failure is a call that fails.
func Failure(kind domain.FailureKind, message string) Answer {
	return Answer{Failure: kind, Message: message}
}

// PutOff is a server that takes no call now, because the model is being loaded.
func PutOff() Answer {
	return Answer{PutOff: true, Failure: domain.ModelOverloaded, Message: "503: the model is being loaded"}
}

// Hanging is a call that lasts until it is aborted.
func Hanging() Answer { return Answer{After: make(chan struct{})} }

// Held is an answer that comes when the gate is closed.
func Held(gate <-chan struct{}, answer Answer) Answer {
	answer.After = gate
	return answer
}

// next is the answer to the turn's call. It needs the lock.
func (a *App) next(agentID, model string) Answer {
	for _, name := range []string{agentID, model} {
		script := a.scripts[name]
		if len(script) == 0 {
			continue
		}
		if len(script) > 1 {
			a.scripts[name] = script[1:]
		}
		return script[0].filled(agentID)
	}
	return Answer{}.filled(agentID)
}

func (a Answer) filled(agentID string) Answer {
	if a.Text == "" && a.Failure == "" {
		a.Text = Proposal(fmt.Sprintf("CANNED proposal of %s", agentID), 0.5).Text
	}
	if a.FinishReason == "" {
		a.FinishReason = "stop"
	}
	if a.Failure == domain.ModelRejected || a.Failure == domain.ContextTooLong { // nothing was generated
		a.Usage = domain.Usage{}
		return a
	}
	if a.Usage == (domain.Usage{}) {
		a.Usage = domain.Usage{PromptTokens: 20, CompletionTokens: 10}
	}
	a.Usage.Calls = 1
	return a
}

func retryable(kind domain.FailureKind) bool {
	return slices.Contains([]domain.FailureKind{domain.ModelUnavailable, domain.Truncated, domain.ModelTimeout}, kind)
}
