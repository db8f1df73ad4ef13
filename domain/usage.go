package domain

// Usage is what model calls cost. Every attempt that was paid counts.
type Usage struct {
	PromptTokens     int
	CompletionTokens int
	Calls            int
}

// Plus is both together.
func (u Usage) Plus(other Usage) Usage {
	return Usage{
		PromptTokens:     u.PromptTokens + other.PromptTokens,
		CompletionTokens: u.CompletionTokens + other.CompletionTokens,
		Calls:            u.Calls + other.Calls,
	}
}

// Tokens is prompt and completion together.
func (u Usage) Tokens() int { return u.PromptTokens + u.CompletionTokens }
