package domain

import "slices"

// standing returns the proposals that count at the moment, by author in request order. A revision replaces its
// author's earlier text if more reviewers of both texts prefer it than don't.
func (c Council) standing() []*entry { return c.standingAfter(c.request.protocol.Rounds() + 1) }

// standingAfter returns the proposals that counted after the reviews of a round.
func (c Council) standingAfter(reviewed int) []*entry {
	var standing []*entry
	for _, agent := range c.request.authors() {
		own, has := c.completed(Phase{Kind: Propose}, agent)
		if !has {
			continue
		}
		for round := 1; round < reviewed; round++ {
			revised, done := c.completed(Phase{Kind: Revise, Round: round}, agent)
			if !done {
				continue
			}
			if better, worse := c.compared(round+1, revised.turn.id, own.turn.id); better > worse {
				own = revised
			}
		}
		standing = append(standing, own)
	}
	return standing
}

// compared counts the reviews of a round that rank the new text before the old one, and after it.
func (c Council) compared(round int, revised, old TurnID) (better, worse int) {
	for _, review := range c.reviews(round) {
		newAt, oldAt := slices.Index(review.review.Ranking, revised), slices.Index(review.review.Ranking, old)
		switch {
		case newAt < 0 || oldAt < 0:
		case newAt < oldAt:
			better++
		default:
			worse++
		}
	}
	return better, worse
}

// reviews returns the usable reviews of a round.
func (c Council) reviews(round int) []*entry {
	var reviews []*entry
	for _, e := range c.ledger {
		if e.assignment.Phase == (Phase{Kind: PeerReview, Round: round}) && e.state == AgentCompleted {
			reviews = append(reviews, e)
		}
	}
	return reviews
}

// lastReviewed returns the latest round with a usable review, 0 if there is none.
func (c Council) lastReviewed() int {
	round := c.lastAsked()
	for round > 0 && len(c.reviews(round)) == 0 {
		round--
	}
	return round
}

// lastAsked returns the latest round whose reviews were asked for, 0 if there is none.
func (c Council) lastAsked() int {
	last := 0
	for _, e := range c.ledger {
		if phase := e.assignment.Phase; phase.Kind == PeerReview {
			last = max(last, phase.Round)
		}
	}
	return last
}

// completed returns the agent's completed part in a phase.
func (c Council) completed(phase Phase, agent AgentConfig) (*entry, bool) {
	e := c.at(Assignment{Phase: phase, Agent: agent})
	return e, e != nil && e.state == AgentCompleted
}
