package domain

import (
	"cmp"
	"slices"
)

// Rank orders the proposals by their agents' own scores, the best first. Equal scores keep request order.
func (c Council) Rank() CouncilResult {
	ranked := CouncilResult{total: len(c.request.agents)}
	for _, e := range c.ledger {
		if e.assignment.Phase.Kind != Propose {
			continue
		}
		switch e.state {
		case AgentCompleted:
			ranked.results = append(ranked.results, e.result)
		case AgentFailed:
			ranked.failures = append(ranked.failures, e.failure)
		case AgentWaiting, AgentSubmitted:
		}
	}
	slices.SortStableFunc(ranked.results, func(a, b DeliberationResult) int {
		return cmp.Compare(b.answer.score, a.answer.score)
	})
	return ranked
}
