package domain

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
)

// StopReason says why a council plans no more phases. Append only: results name it.
type StopReason string

// Reasons to stop.
const (
	StopComplete      StopReason = "complete"       // everything that was asked for is done
	StopAgreement     StopReason = "agreement"      // the reviewers agree on the winner
	StopRounds        StopReason = "rounds"         // all rounds are done
	StopReviewsFailed StopReason = "reviews_failed" // no review of the last round could be used
	StopDeadline      StopReason = "deadline"       // the time is over
	StopStopped       StopReason = "stopped"        // a client asked to rank what is there
	StopBudget        StopReason = "budget"         // the budget doesn't cover another phase
)

// Plan is what a council does next: the assignments of one phase, or none, and the reason to stop.
type Plan struct {
	Next []Assignment
	Stop StopReason
}

// Plan decides what the council does next. Call it once before each phase, when no assignment is open. A late
// answer doesn't change what was assigned.
func (c Council) Plan() Plan {
	plan := c.planned()
	if len(plan.Next) > 0 && !c.affords(plan.Next) {
		plan = Plan{Stop: StopBudget}
	}
	if len(plan.Next) > 0 {
		return plan
	}
	switch chair := c.synthesis(); {
	case len(chair) == 0:
		return plan
	case c.affords(chair):
		return Plan{Next: chair}
	}
	return Plan{Stop: StopBudget}
}

// planned decides what the council does next before the final answer, as if it had no budget.
func (c Council) planned() Plan {
	if len(c.ledger) == 0 {
		return Plan{Next: c.proposals()}
	}
	if !c.QuorumMet() || c.request.protocol.Review() == ReviewNone {
		return Plan{Stop: StopComplete}
	}
	switch last := c.lastPhase(); last.Kind {
	case Propose:
		return c.planReview(1)
	case PeerReview:
		return c.planRevision(last.Round)
	case Revise:
		return c.planReview(last.Round + 1)
	case Synthesize: // can't happen: lastPhase skips it
	}
	return Plan{Stop: StopComplete}
}

// lastPhase returns the latest phase before the final answer.
func (c Council) lastPhase() Phase {
	last := Phase{Kind: Propose}
	for _, e := range c.ledger {
		if phase := e.assignment.Phase; phase.Kind != Synthesize {
			last = phase
		}
	}
	return last
}

// proposals asks every agent for its proposal.
func (c Council) proposals() []Assignment {
	return Each(c.request.agents, func(agent AgentConfig) Assignment { return Assignment{Phase: Phase{Kind: Propose}, Agent: agent} })
}

// planReview asks for the reviews of a round. After the first round it does so only if there is a revision.
func (c Council) planReview(round int) Plan {
	candidates := c.candidates(round)
	news := round == 1 || slices.ContainsFunc(candidates, func(texts []TurnID) bool { return len(texts) > 1 })
	if len(candidates) < 2 || !news {
		return Plan{Stop: StopComplete}
	}
	next := make([]Assignment, 0, len(candidates))
	for i, reviewer := range c.reviewers() {
		next = append(next, Assignment{
			Phase: Phase{Kind: PeerReview, Round: round}, Agent: reviewer, Reads: c.readingList(round, i, reviewer, candidates),
		})
	}
	return Plan{Next: next}
}

// planRevision asks the authors whose proposals were criticised to revise them, unless it is time to stop.
func (c Council) planRevision(round int) Plan {
	switch {
	case len(c.reviews(round)) == 0:
		return Plan{Stop: StopReviewsFailed}
	case round > c.request.protocol.Rounds():
		return Plan{Stop: StopRounds}
	case c.agreed():
		return Plan{Stop: StopAgreement}
	case c.request.revisers() == 0:
		return Plan{Stop: StopComplete}
	}
	var next []Assignment
	for _, own := range c.standing() {
		if !c.request.isAgent(own.assignment.Agent) {
			continue
		}
		reads := []TurnID{own.turn.id}
		for _, review := range c.reviews(round) {
			if _, noted := review.review.note(own.turn.id); noted {
				reads = append(reads, review.turn.id)
			}
		}
		if len(reads) > 1 {
			next = append(next, Assignment{Phase: Phase{Kind: Revise, Round: round}, Agent: own.assignment.Agent, Reads: reads})
		}
	}
	if len(next) == 0 {
		return Plan{Stop: StopRounds}
	}
	return Plan{Next: next}
}

// reviewers returns who reviews: the judge, or the agents that have a proposal. Given proposals are reviewed by
// all agents.
func (c Council) reviewers() []AgentConfig {
	if c.request.protocol.Review() == ReviewJudge {
		return []AgentConfig{c.request.judge()}
	}
	if len(c.request.given) > 0 {
		return c.request.agents
	}
	var reviewers []AgentConfig
	for _, own := range c.standing() {
		reviewers = append(reviewers, own.assignment.Agent)
	}
	return reviewers
}

// candidates returns the texts that the reviews of a round compare, by author: the author's standing text, and
// the revision of it, if there is one.
func (c Council) candidates(round int) [][]TurnID {
	var candidates [][]TurnID
	for _, own := range c.standing() {
		texts := []TurnID{own.turn.id}
		if revised, done := c.completed(Phase{Kind: Revise, Round: round - 1}, own.assignment.Agent); done {
			texts = append(texts, revised.turn.id)
		}
		candidates = append(candidates, texts)
	}
	return candidates
}

const (
	// mostRead is how many other authors each peer of a large council reviews.
	mostRead = 3
	// mostReadAll is the largest number of proposals with which each peer reviews all others.
	mostReadAll = 6
)

// peerSteps are the distances in the circle from a peer of a large council to the authors whom it reviews. All
// differences between these distances differ, so no pair of proposals is compared twice. Of seven proposals, each pair
// is compared once.
var peerSteps = [mostRead]int{1, 2, 4}

// readingList returns what a reviewer reads, in order. No agent reviews its own proposal. With more than six
// proposals, each one is reviewed by the same number of peers. There are at most three orders: so a model
// server's prefix cache helps with most of a prompt, and no proposal is always the first.
func (c Council) readingList(round, place int, reviewer AgentConfig, candidates [][]TurnID) []TurnID {
	circle, peer := c.shuffled(round, len(candidates)), c.request.protocol.Review() == ReviewPeer
	mine := -1
	if peer {
		mine = slices.IndexFunc(c.standing(), func(e *entry) bool { return e.assignment.Agent.id == reviewer.id })
	}
	start := (place % 3) * len(circle) / 3
	order := slices.Concat(circle[start:], circle[:start])
	switch many := peer && len(candidates) > mostReadAll; {
	case many && len(c.request.given) > 0:
		order = c.share(circle, place, mine)
	case many && mine >= 0:
		order = peersOf(circle, mine)
	}
	var reads []TurnID
	for _, i := range order {
		if i == mine {
			continue
		}
		texts := slices.Clone(candidates[i])
		if len(texts) > 1 && c.chance(round, "pair", reviewer.id, string(texts[0]))%2 == 1 {
			slices.Reverse(texts)
		}
		reads = append(reads, texts...)
	}
	return reads
}

// peersOf returns the authors whom a reviewer reads. They stand at fixed distances after its own place in a circle, so
// each author is read equally often, and is equally often the first one that a reviewer reads.
func peersOf(circle []int, mine int) []int {
	at := slices.Index(circle, mine)
	peers := make([]int, 0, mostRead)
	for _, step := range peerSteps {
		peers = append(peers, circle[(at+step)%len(circle)])
	}
	return peers
}

// shuffled returns an order of n candidates that is derived from the deliberation's id.
func (c Council) shuffled(round, n int) []int {
	order, keys := make([]int, n), make([]uint32, n)
	for i := range order {
		order[i], keys[i] = i, c.chance(round, "order", strconv.Itoa(i))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	return order
}

// chance returns a number that looks random, and is the same in each replay.
func (c Council) chance(round int, of ...string) uint32 {
	digest := digestOf(append([]string{c.run.WorkflowID, strconv.Itoa(round)}, of...)...)
	return binary.BigEndian.Uint32(digest[:4])
}
