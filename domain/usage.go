package domain

// Usage is the cost of model calls, in calls and tokens.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
	Calls            int
}

func (u Usage) Plus(other Usage) Usage {
	return Usage{
		PromptTokens:     u.PromptTokens + other.PromptTokens,
		CompletionTokens: u.CompletionTokens + other.CompletionTokens,
		Calls:            u.Calls + other.Calls,
	}
}

func (u Usage) Tokens() int { return u.PromptTokens + u.CompletionTokens }
