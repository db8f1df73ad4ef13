//go:build integration

package evidence

import (
	"os"
	"slices"
	"testing"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// requestOf asks a council of agents with the same model.
func requestOf(t *testing.T, about task, council int, review string) contract.Request {
	t.Helper()
	url, model := os.Getenv("DELIBERATION_VLLM_URL"), os.Getenv("DELIBERATION_VLLM_MODEL")
	request := stack.Request(t, stack.Agents(slices.Repeat([]string{model}, council)...))
	request.TaskDescription, request.VLLMURL, request.VLLMModel = about.question, url, model
	request.Constraints.TimeoutSeconds, request.Constraints.MaxRetries = new(3600), new(1)
	for i := range request.Agents {
		request.Agents[i].PromptTemplate = "You solve tasks step by step, and check your result."
	}
	request.Protocol = &contract.Protocol{Review: review, MaxTokens: new(512)}
	if review != domain.ReviewNone {
		request.Protocol.Rounds = rounds
	}
	return request
}

// singles are the agents of a council, each on its own.
func (a asked) singles(about task) []answered {
	var all []answered
	for _, one := range a.result.Results {
		all = append(all, answered{
			kind: about.kind, right: about.solvedBy(about.answerOf(one.Proposal)), calls: one.Attempts,
			tokens: one.Usage.PromptTokens + one.Usage.CompletionTokens, seconds: float64(one.DurationMS) / 1000,
		})
	}
	for _, failure := range a.result.Failures {
		all = append(all, answered{kind: about.kind, calls: failure.Attempts})
	}
	return all
}

// vote is the council's majority, whatever else it says of its proposals.
func (a asked) vote(about task) answered {
	var answers []string
	for _, one := range a.result.Results {
		answers = append(answers, about.answerOf(one.Proposal))
	}
	return a.answered(about, majority(answers))
}

// winner is the proposal that the council ranks first.
func (a asked) winner(about task) answered {
	if a.result.BestResult == nil {
		return a.answered(about, "")
	}
	return a.answered(about, about.answerOf(a.result.BestResult.Proposal))
}

func (a asked) answered(about task, answer string) answered {
	return answered{
		kind: about.kind, right: about.solvedBy(answer), calls: a.usage.LLMCalls,
		tokens: a.usage.PromptTokens + a.usage.CompletionTokens, seconds: a.took.Seconds(),
	}
}
