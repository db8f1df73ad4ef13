package domain

// Bounds of a [Budget].
const (
	mostCallsBudget  = 1_000_000
	mostTokensBudget = 1_000_000_000_000
)

// Budget bounds what a deliberation may cost. Zero is no bound.
type Budget struct {
	Calls  int
	Tokens int
}

// none reports whether nothing is bounded.
func (b Budget) none() bool { return b == Budget{} }

// covers reports whether a cost stays within the budget.
func (b Budget) covers(cost Usage) bool {
	return (b.Calls == 0 || cost.Calls <= b.Calls) && (b.Tokens == 0 || cost.Tokens() <= b.Tokens)
}

func (b Budget) check(faults *Faults) {
	if b.Calls != 0 {
		faults.within("protocol.max_llm_calls", b.Calls, 1, mostCallsBudget)
	}
	if b.Tokens != 0 {
		faults.within("protocol.max_total_tokens", b.Tokens, 1, mostTokensBudget)
	}
}

// affords reports whether the budget covers a whole phase in addition to what is committed already.
func (c Council) affords(next []Assignment) bool {
	budget := c.request.protocol.Budget()
	return budget.none() || budget.covers(c.committed().Plus(c.phaseCost(next)))
}

// phaseCost returns the most that a phase may cost: every call of every turn, retries included.
func (c Council) phaseCost(phase []Assignment) Usage {
	var cost Usage
	for _, assignment := range phase {
		cost = cost.Plus(c.callCost(assignment).times(1 + c.request.constraints.MaxRetries()))
	}
	return cost
}

// callCost returns the most that one call for an assignment may cost: a token for every three bytes of its
// prompt, and the longest answer.
func (c Council) callCost(assignment Assignment) Usage {
	cost := Usage{Calls: 1}
	if c.request.protocol.Budget().Tokens > 0 { // rendering a prompt takes time, so Assign keeps the cost
		cost.PromptTokens = c.request.promptTokens(c.Turn(assignment), c.Texts([]Assignment{assignment}))
		cost.CompletionTokens = c.request.protocol.MaxTokens()
	}
	return cost
}

// committed adds up what was paid, what lost attempts may have cost, and what is reserved for assignments that
// aren't settled. A call that ended without its usage has cost its prompt all the same.
func (c Council) committed() Usage {
	committed, _ := c.Paid()
	committed.PromptTokens += c.unnamed
	for _, e := range c.ledger {
		calls := e.uncounted
		if !e.settled() {
			calls += max(1, 1+c.request.constraints.MaxRetries()-e.failures-e.uncounted)
		}
		if calls > 0 {
			committed = committed.Plus(e.cost.times(calls))
		}
	}
	return committed
}

// promptTokens returns the most tokens that a turn's prompt may have, including a hint in a later attempt.
func (r DeliberationRequest) promptTokens(turn Turn, texts Texts) int {
	const hint = 512 // bytes
	common := r.CommonTexts(turn.Phase().Kind, texts)
	size := 0
	for _, part := range r.Ask(turn, texts).Prompt {
		size += len(part.Text) + len(common[part.Ref])
	}
	if r.constraints.MaxRetries() > 0 {
		size += hint
	}
	return tokensIn(size)
}

// checkBudget refuses a budget that doesn't cover the first phase. It needs a request that breaks no other rule.
func (r DeliberationRequest) checkBudget(faults *Faults) {
	budget := r.protocol.Budget()
	if budget.none() {
		return
	}
	council := NewCouncil(r, RunKey{})
	first := council.planned().Next
	tries := Count(1+r.constraints.MaxRetries(), "attempt")
	turns := Count(len(first), "turn")
	cost := council.phaseCost(first)
	if budget.Calls > 0 && cost.Calls > budget.Calls {
		faults.Add("protocol.max_llm_calls", "must be at least %d for the first phase (%s with up to %s each), got %d; "+
			"constraints.max_retries lowers that", cost.Calls, turns, tries, budget.Calls)
	}
	if budget.Tokens > 0 && cost.Tokens() > budget.Tokens {
		faults.Add("protocol.max_total_tokens", "must be at least %d for the first phase (%s with up to %s each), got %d; "+
			"constraints.max_retries and protocol.max_tokens lower that", cost.Tokens(), turns, tries, budget.Tokens)
	}
}

// beyondBudget returns the failure of an assignment when the budget has no room for another attempt.
func beyondBudget(outcome Outcome) TurnFailure {
	if outcome.Kind == OutcomeFailed {
		return outcome.Failure
	}
	return NewTurnFailure(LostRepeatedly, "the budget has no room for another attempt: "+outcome.Reason, false)
}

// times multiplies a cost.
func (u Usage) times(n int) Usage {
	return Usage{PromptTokens: u.PromptTokens * n, CompletionTokens: u.CompletionTokens * n, Calls: u.Calls * n}
}
