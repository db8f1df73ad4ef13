package domain

import (
	"cmp"
	"fmt"
	"slices"
)

// RankingBasis says what ranks the proposals. Append only: results name it.
type RankingBasis string

// Bases of a ranking.
const (
	RankedBySelf  RankingBasis = "self"  // the agents' own scores
	RankedByPeers RankingBasis = "peer"  // the council's reviews
	RankedByJudge RankingBasis = "judge" // one judge's review
)

// Judgement combines what the reviewers say about a proposal.
type Judgement struct {
	Score   float64 // the mean over the reviews
	Points  float64 // from 1 (first in every ranking) to 0 (last in every ranking)
	Reviews int
	Firsts  int // rankings in which it is first
	Ranked  int // rankings of two or more that it is in
	Blocked bool
}

// Rank orders the proposals, the best first: by the reviews if there are any, else by the agents' own scores,
// where equal ones keep the order of the request. If the council votes, the answer with the most votes comes first.
func (c Council) Rank() CouncilResult {
	ranked := c.ranked()
	if c.request.protocol.votes() && len(ranked.results) > 0 {
		ranked.basis = RankedByVotes
		ranked.results, ranked.votes = byVotes(ranked.results)
		ranked.note = whyFirst(ranked.results)
	}
	return ranked
}

func (c Council) ranked() CouncilResult {
	ranked := CouncilResult{total: len(c.request.authors()), basis: RankedBySelf}
	for _, e := range c.ledger {
		if e.assignment.Phase.Kind == Propose && e.state == AgentFailed {
			ranked.failures = append(ranked.failures, e.failure)
		}
	}
	if c.lastReviewed() > 0 {
		ranked.basis = RankedByPeers
		if c.request.protocol.Review() == ReviewJudge {
			ranked.basis = RankedByJudge
		}
		ranked.results = c.judgedAfter(c.lastReviewed())
		ranked.concordance = c.concordance()
		ranked.note = whyFirst(ranked.results)
		return ranked
	}
	ranked.unreviewed = c.lastAsked() > 0
	for _, own := range c.standing() {
		ranked.results = append(ranked.results, own.result)
	}
	slices.SortStableFunc(ranked.results, func(a, b DeliberationResult) int {
		return cmp.Compare(b.Score(), a.Score())
	})
	return ranked
}

// Places returns the places that each author's proposal had after the reviews of each round, the first round
// first. A place is 0 while there was no usable review.
func (c Council) Places() map[string][]int {
	places := map[string][]int{}
	for round := range c.lastAsked() {
		results := c.judgedAfter(round + 1)
		if c.request.protocol.votes() {
			results, _ = byVotes(results)
		}
		reviewed := slices.ContainsFunc(results, func(r DeliberationResult) bool { return r.judgement.Reviews > 0 })
		for i, result := range results {
			place := 0
			if reviewed {
				place = i + 1
			}
			places[result.agent.id] = append(places[result.agent.id], place)
		}
	}
	return places
}

// judgedAfter returns the proposals that stood after the reviews of a round, with their judgements up to then. They
// are ordered by points, then by score, then by a stable hash. Proposals without a review come last.
func (c Council) judgedAfter(round int) []DeliberationResult {
	standing := c.standingAfter(round)
	results := make([]DeliberationResult, 0, len(standing))
	ids := make(map[string]TurnID, len(standing))
	judgements := c.judgements(standing, round)
	for _, own := range standing {
		judgement := judgements[own.turn.id]
		result := own.result
		result.judgement = &judgement
		results = append(results, result)
		ids[own.assignment.Agent.id] = own.turn.id
	}
	slices.SortStableFunc(results, func(a, b DeliberationResult) int {
		return cmp.Or(
			cmp.Compare(min(1, b.judgement.Reviews), min(1, a.judgement.Reviews)),
			cmp.Compare(b.judgement.Points, a.judgement.Points),
			cmp.Compare(b.judgement.Score, a.judgement.Score),
			cmp.Compare(ids[a.agent.id], ids[b.agent.id]),
		)
	})
	return results
}

func idsOf(entries []*entry) []TurnID {
	return Each(entries, func(e *entry) TurnID { return e.turn.id })
}

// judgements combines the latest reviews of each proposal, up to a round: the mean of its scores, and the mean of its
// places in the rankings. Place p among the k proposals that stood after that round is worth (k-p)/(k-1) points.
func (c Council) judgements(standing []*entry, upTo int) map[TurnID]Judgement {
	judgements := make(map[TurnID]Judgement, len(standing))
	for round := upTo; round > 0 && len(judgements) < len(standing); round-- {
		stood, sums := idsOf(c.standingAfter(round)), map[TurnID]Judgement{}
		for _, review := range c.reviews(round) {
			ranking := review.review.among(stood)
			for _, note := range review.review.Notes {
				sums[note.Of] = sums[note.Of].with(note, ranking, c.request.protocol.rubric)
			}
		}
		for _, own := range standing {
			sum, reviewed := sums[own.turn.id]
			if _, later := judgements[own.turn.id]; reviewed && !later {
				judgements[own.turn.id] = sum.mean()
			}
		}
	}
	return judgements
}

func (j Judgement) mean() Judgement {
	j.Score /= float64(max(1, j.Reviews))
	j.Points /= float64(max(1, j.Ranked))
	return j
}

// with adds a review to the sums.
func (j Judgement) with(note Note, ranking []TurnID, rubric []Criterion) Judgement {
	j.Reviews++
	j.Blocked = j.Blocked || len(note.Blocking) > 0
	j.Score += note.score(rubric)
	place, last := slices.Index(ranking, note.Of), len(ranking)-1
	if place < 0 || last < 1 {
		return j
	}
	j.Ranked++
	j.Points += float64(last-place) / float64(last)
	if place == 0 {
		j.Firsts++
	}
	return j
}

// among returns the ranking of only these proposals.
func (r Review) among(standing []TurnID) []TurnID {
	return slices.DeleteFunc(slices.Clone(r.Ranking), func(id TurnID) bool { return !slices.Contains(standing, id) })
}

// agreed reports whether the reviewers agree on the winner: it is first in two thirds of the rankings that
// contain it, and no review names a blocking issue of it.
func (c Council) agreed() bool {
	results := c.judgedAfter(c.lastReviewed())
	if len(results) == 0 {
		return false
	}
	best := results[0].judgement
	return best.Ranked > 0 && 3*best.Firsts >= 2*best.Ranked && !best.Blocked
}

// whyFirst explains why a proposal wins although the second one has a higher score.
func whyFirst(results []DeliberationResult) string {
	if len(results) < 2 || results[0].Score() >= results[1].Score() {
		return ""
	}
	first, second := results[0], results[1]
	if first.judgement == nil || first.judgement.Reviews == 0 || second.judgement.Reviews == 0 {
		return ""
	}
	return fmt.Sprintf("%s is first by the reviewers' rankings (%.2f against %.2f), though its score is lower than that of %s (%.2f against %.2f)",
		first.agent.id, first.judgement.Points, second.judgement.Points, second.agent.id, first.Score(), second.Score())
}

// concordance returns Kendall's W of the latest rankings, in Durbin's form for incomplete ones: from 0 (no
// agreement) to 1. It returns nil if there are fewer than three proposals or two rankings, or if some pairs were
// compared more often than others.
func (c Council) concordance() *float64 {
	standing := idsOf(c.standing())
	var rankings [][]TurnID
	for _, review := range c.reviews(c.lastReviewed()) {
		rankings = append(rankings, review.review.among(standing))
	}
	return concordanceOf(standing, rankings)
}

// concordanceOf returns W = (12 ΣR² − 3 r² n (k+1)²) / (λ² n (n²−1)) for n items: R is the sum of an item's places,
// k the number of items in each ranking, r how often each item is ranked, λ how often each pair is compared.
func concordanceOf(items []TurnID, rankings [][]TurnID) *float64 {
	n := len(items)
	if n < 3 || len(rankings) < 2 {
		return nil
	}
	k := len(rankings[0])
	sums, pairs := make([]int, n), make([]int, n*n)
	for _, ranking := range rankings {
		if len(ranking) != k || k < 2 {
			return nil
		}
		for place, id := range ranking {
			a := slices.Index(items, id)
			sums[a] += place + 1
			for _, other := range ranking[place+1:] {
				b := slices.Index(items, other)
				pairs[a*n+b]++
				pairs[b*n+a]++
			}
		}
	}
	together := pairs[1]
	if together == 0 || !balanced(pairs, n) {
		return nil
	}
	squares := 0
	for _, sum := range sums {
		squares += sum * sum
	}
	times := together * (n - 1) / (k - 1)
	w := float64(12*squares-3*times*times*n*(k+1)*(k+1)) / float64(together*together*n*(n*n-1))
	return &w
}

// balanced reports whether each pair of n items is compared equally often.
func balanced(pairs []int, n int) bool {
	for a := range n {
		for b := range n {
			if a != b && pairs[a*n+b] != pairs[1] {
				return false
			}
		}
	}
	return true
}
