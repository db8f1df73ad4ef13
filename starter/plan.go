package main

import (
	"fmt"

	"deliberation.io/deliberation/domain"
)

// plan is the answer of run --plan: what a deliberation needs at most while no turn is tried again.
type plan struct {
	ModelCalls       int `json:"model_calls"`
	Proposals        int `json:"proposals"`
	Reviews          int `json:"reviews"`
	Revisions        int `json:"revisions"`
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	Tokens           int `json:"tokens"`
}

const retriesNotCounted = "a turn that is tried again comes on top"

// announceCalls says what a start would cost.
func (c *cli) announceCalls(request domain.DeliberationRequest) {
	fmt.Fprintf(c.stderr, "%s; %s\n", request.CallsInWords(), retriesNotCounted)
}

func (c *cli) showPlan(request domain.DeliberationRequest) error {
	f := request.Forecast()
	answer := plan{f.Calls(), f.Proposals, f.Reviews, f.Revisions, f.PromptTokens, f.CompletionTokens, f.Tokens()}
	return c.show(answer, func() {
		c.printf("%s\n", request.CallsInWords())
		c.printf("at most %d tokens: %d prompt tokens, estimated from the texts' lengths, and %d completion tokens, %d a call\n",
			answer.Tokens, answer.PromptTokens, answer.CompletionTokens, request.Protocol().MaxTokens())
		c.printf("%s; nothing was started\n", retriesNotCounted)
	})
}
