package report

import (
	"cmp"
	"slices"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Round is the review matrix of one round: reviewers by versions of proposals.
type Round struct {
	Number  int                  `json:"round"`
	Columns []contract.Candidate `json:"columns"`
	Rows    []Row                `json:"rows"`
}

// Row is one reviewer's review.
type Row struct {
	ReviewerID string `json:"reviewer_id"`
	Failed     string `json:"failed,omitempty"` // why there is no review
	Cells      []Cell `json:"cells"`
}

// Cell is one reviewer's judgement of one version.
type Cell struct {
	Own      bool     `json:"own,omitempty"` // the reviewer's own proposal, which it doesn't review
	Seen     bool     `json:"seen"`
	Score    float64  `json:"score"`
	Place    int      `json:"place,omitempty"` // in the reviewer's ranking
	Blocking []string `json:"blocking,omitempty"`
	Critique string   `json:"critique,omitempty"`
}

// history answers questions about the reviews of a result.
type history struct {
	result     contract.Result
	candidates map[string]contract.Candidate
	last       int // review round
}

func historyOf(result contract.Result) history {
	h := history{result: result, candidates: map[string]contract.Candidate{}}
	for _, candidate := range result.Candidates {
		h.candidates[candidate.ID] = candidate
	}
	for _, review := range result.Reviews {
		h.last = max(h.last, review.Round)
	}
	return h
}

// in returns the reviews of a round.
func (h history) in(round int) []contract.ReviewRecord {
	return slices.DeleteFunc(slices.Clone(h.result.Reviews), func(r contract.ReviewRecord) bool { return r.Round != round })
}

// version returns the version of an agent's proposal that counted after the reviews of a round.
func (h history) version(agent string, round int) int {
	version := 0
	for _, revision := range h.result.Revisions {
		if revision.AgentID == agent && revision.Round < round && revision.Fate == domain.RevisionReplaced {
			version = max(version, revision.Round)
		}
	}
	return version
}

// ranking returns the authors in the order of a review's ranking. It leaves out versions that didn't count after the
// round.
func (h history) ranking(review contract.ReviewRecord) []string {
	var agents []string
	for _, id := range review.Ranking {
		candidate, known := h.candidates[id]
		if known && candidate.Version == h.version(candidate.AgentID, review.Round) {
			agents = append(agents, candidate.AgentID)
		}
	}
	return agents
}

func (h history) rounds() []Round {
	rounds := []Round{}
	for number := 1; number <= h.last; number++ {
		rounds = append(rounds, h.round(number))
	}
	return rounds
}

func (h history) round(number int) Round {
	round := Round{Number: number}
	reviews := h.in(number)
	for _, candidate := range h.result.Candidates {
		seen := slices.ContainsFunc(reviews, func(r contract.ReviewRecord) bool { return slices.Contains(r.Order, candidate.ID) })
		if seen {
			round.Columns = append(round.Columns, candidate)
		}
	}
	slices.SortStableFunc(round.Columns, func(a, b contract.Candidate) int {
		return cmp.Or(cmp.Compare(h.rank(a.AgentID), h.rank(b.AgentID)), cmp.Compare(a.Version, b.Version))
	})
	for _, review := range reviews {
		row := Row{ReviewerID: review.ReviewerID}
		if review.ErrorType != "" {
			row.Failed = string(review.ErrorType) + ": " + review.Message
		}
		for _, column := range round.Columns {
			row.Cells = append(row.Cells, cellOf(review, column))
		}
		round.Rows = append(round.Rows, row)
	}
	return round
}

func cellOf(review contract.ReviewRecord, column contract.Candidate) Cell {
	if review.ReviewerID == column.AgentID {
		return Cell{Own: true}
	}
	for _, note := range review.Notes {
		if note.Of == column.ID {
			return Cell{
				Seen: true, Score: note.Score, Place: slices.Index(review.Ranking, column.ID) + 1,
				Blocking: note.Blocking, Critique: note.Critique,
			}
		}
	}
	return Cell{}
}

// rank returns an agent's place in the result.
func (h history) rank(agent string) int {
	return slices.IndexFunc(h.result.Results, func(r contract.AgentResult) bool { return r.AgentID == agent })
}

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
