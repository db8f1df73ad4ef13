package report

import (
	"fmt"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func voteHeadline(result contract.Result) string {
	first := result.Votes[0]
	return fmt.Sprintf("%s won with %d of %s", domain.Quote(first.Answer), first.Votes, domain.Count(votesIn(result), "vote"))
}

// voteStory says how the answers were counted. If the council doesn't vote, it says nothing.
func voteStory(result contract.Result) []string {
	if len(result.Votes) == 0 {
		return nil
	}
	order := "the agents' own scores"
	if result.Review != nil && result.Review.Reviews > 0 {
		order = "the reviews"
	}
	return []string{fmt.Sprintf("The answers were counted: %s gave %s. Within the same answer, %s decide the order.",
		domain.Count(votesIn(result), "proposal"), domain.Count(len(result.Votes), "different answer"), order)}
}

func votesIn(result contract.Result) int {
	sum := 0
	for _, vote := range result.Votes {
		sum += vote.Votes
	}
	return sum
}

// chairStory says whether a chair wrote the final answer. If no chair was wanted, it says nothing.
func chairStory(result contract.Result) []string {
	switch {
	case !result.Synthesis.Wanted:
		return nil
	case result.Synthesis.Text != nil:
		return []string{"The chair wrote the final answer from the ranked proposals."}
	case result.ChairFailure != nil:
		return []string{fmt.Sprintf("The chair wrote no final answer, so the best proposal stands: %s: %s",
			result.ChairFailure.ErrorType, sentence(result.ChairFailure.Message))}
	}
	return []string{"The chair wasn't asked for a final answer, so the best proposal stands."}
}

// Phases returns the kinds of the turns that the timeline shows, in the order in which they first come.
func (r Report) Phases() []domain.PhaseKind {
	shown := map[domain.PhaseKind]bool{}
	for _, turn := range r.Turns {
		shown[turn.Phase] = true
	}
	var phases []domain.PhaseKind
	for _, kind := range domain.PhaseKinds() {
		if shown[kind] {
			phases = append(phases, kind)
		}
	}
	return phases
}
