package report

import "slices"

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

// dissent is what the minority held in the last round with a usable review.
func (h history) dissent() []Dissenter {
	minority := []Dissenter{}
	if h.result.BestResult == nil {
		return minority
	}
	winner := h.result.BestResult.AgentID
	for round := h.last; round > 0; round-- {
		heard := false
		for _, review := range h.in(round) {
			ranking := h.ranking(review)
			heard = heard || len(ranking) > 0
			place := slices.Index(ranking, winner)
			dissenter := Dissenter{ReviewerID: review.ReviewerID, Round: round, Place: place + 1, Of: len(ranking)}
			for _, note := range review.Notes {
				candidate := h.candidates[note.Of]
				if candidate.Version != h.version(candidate.AgentID, round) {
					continue
				}
				switch {
				case candidate.AgentID == winner:
					dissenter.OnWinner, dissenter.Blocking = note.Critique, note.Blocking
				case candidate.AgentID == ranking[0]:
					dissenter.OnFavourite = note.Critique
				}
			}
			if place > 0 || (place == 0 && len(dissenter.Blocking) > 0) {
				dissenter.Favourite = ranking[0]
				minority = append(minority, dissenter)
			}
		}
		if heard {
			break
		}
	}
	return minority
}
