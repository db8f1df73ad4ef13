package main

import (
	"deliberation.io/deliberation/domain"
)

// plan is the answer of run --plan: what a deliberation needs at most while no turn is tried again.
type plan struct {
	ModelCalls       int `json:"model_calls"`
	Proposals        int `json:"proposals"`
	Reviews          int `json:"reviews"`
	Revisions        int `json:"revisions"`
	Syntheses        int `json:"syntheses,omitempty"`
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	Tokens           int `json:"tokens"`

	// WithRetries is the same if every turn is tried as often as possible. A budget must cover a phase with all retries.
	WithRetries most `json:"with_retries"`
	MaxCalls    int  `json:"max_llm_calls,omitempty"`
	TotalTokens int  `json:"max_total_tokens,omitempty"`
}

// most is a number of model calls and of their tokens.
type most struct {
	ModelCalls int `json:"model_calls"`
	Tokens     int `json:"tokens"`
}

func (c *cli) showPlan(request domain.DeliberationRequest) error {
	f := request.Forecast()
	tries, budget := 1+request.Constraints().MaxRetries(), request.Protocol().Budget()
	answer := plan{
		ModelCalls: f.Calls(), Proposals: f.Proposals, Reviews: f.Reviews, Revisions: f.Revisions, Syntheses: f.Syntheses,
		PromptTokens: f.PromptTokens, CompletionTokens: f.CompletionTokens, Tokens: f.Tokens(),
		WithRetries: most{tries * f.Calls(), tries * f.Tokens()}, MaxCalls: budget.Calls, TotalTokens: budget.Tokens,
	}
	return c.show(answer, func() {
		c.printf("%s\n", request.CallsInWords())
		c.printf("at most %d tokens: %d prompt tokens, estimated from the texts' lengths, and %d completion tokens, %d a call\n",
			answer.Tokens, answer.PromptTokens, answer.CompletionTokens, request.Protocol().MaxTokens())
		c.printf("if every turn is tried %s: %d calls and %d tokens\n", domain.Count(tries, "time"), answer.WithRetries.ModelCalls, answer.WithRetries.Tokens)
		c.printBudget(answer)
		c.printf("nothing was started\n")
	})
}

// printBudget shows the budget and its meaning. Without a budget it prints nothing.
func (c *cli) printBudget(p plan) {
	enough := true
	for _, bound := range []struct {
		most, needed int
		of           string
	}{{p.MaxCalls, p.WithRetries.ModelCalls, "model calls"}, {p.TotalTokens, p.WithRetries.Tokens, "tokens"}} {
		if bound.most > 0 {
			c.printf("the budget is %d %s\n", bound.most, bound.of)
			enough = enough && bound.needed <= bound.most
		}
	}
	if !enough {
		c.printf("a phase that the budget doesn't cover with all retries isn't begun; what is there is ranked then\n")
	}
}
