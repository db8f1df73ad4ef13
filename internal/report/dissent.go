package report

import (
	"slices"

	"deliberation.io/deliberation/workflows/contract"
)

// Dissenter is a reviewer who put another proposal before the winner, and why.
type Dissenter struct {
	ReviewerID  string   `json:"reviewer_id"`
	Round       int      `json:"round"`
	Favourite   string   `json:"favourite"` // whose proposal came first
	Place       int      `json:"place"`     // of the winner
	Of          int      `json:"of"`        // proposals in this ranking
	OnFavourite string   `json:"on_favourite"`
	OnWinner    string   `json:"on_winner"`
	Blocking    []string `json:"blocking,omitempty"` // what speaks against the winner
}

// dissent returns the reviewers who disagreed in the last round with a usable review.
func (h history) dissent() []Dissenter {
	minority := []Dissenter{}
	if h.result.BestResult == nil {
		return minority
	}
	for round := h.last; round > 0; round-- {
		heard := false
		for _, review := range h.in(round) {
			ranking := h.ranking(review)
			heard = heard || len(ranking) > 0
			if view, dissents := h.view(review, ranking); dissents {
				minority = append(minority, view)
			}
		}
		if heard {
			break
		}
	}
	return minority
}

// view returns how a reviewer sees the winner, and whether it dissents: it ranks another proposal before the winner, or
// has a blocking issue.
func (h history) view(review contract.ReviewRecord, ranking []string) (view Dissenter, dissents bool) {
	winner := h.result.BestResult.AgentID
	place := slices.Index(ranking, winner)
	if place < 0 {
		return Dissenter{}, false
	}
	view = Dissenter{ReviewerID: review.ReviewerID, Round: review.Round, Favourite: ranking[0], Place: place + 1, Of: len(ranking)}
	for _, note := range review.Notes {
		candidate := h.candidates[note.Of]
		if candidate.Version != h.version(candidate.AgentID, review.Round) {
			continue
		}
		switch candidate.AgentID {
		case winner:
			view.OnWinner, view.Blocking = note.Critique, note.Blocking
		case ranking[0]:
			view.OnFavourite = note.Critique
		}
	}
	return view, place > 0 || len(view.Blocking) > 0
}
