package domain

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of the proposals that a request brings along.
const (
	leastGiven = 2
	mostGiven  = 64
	maxGiven   = 64 << 10 // of each text, in bytes of Go's JSON encoding
)

// GivenSpec is a proposal that exists already. Author is optional: the id of an agent of the council, which may
// revise the proposal and doesn't review it, or any other name.
type GivenSpec struct {
	ID     string
	Text   string
	Author string
}

// checkGiven checks the proposals that a request brings along, and whether the council can judge them.
func (s RequestSpec) checkGiven(faults *Faults) {
	if s.Given == nil {
		return
	}
	const path = "proposals"
	if len(s.Given) < leastGiven || len(s.Given) > mostGiven {
		faults.Add(path, "must be %d..%d proposals, got %d; leave it out for a council that makes its own", leastGiven, mostGiven, len(s.Given))
	}
	if s.Protocol.Review == ReviewNone {
		faults.Add(path, "can be judged only with protocol.review %q or %q", ReviewPeer, ReviewJudge)
	}
	if s.Protocol.Mode == ModeVote {
		faults.Add("protocol.mode", "%q counts answers that the agents give themselves; it can't be used with proposals", ModeVote)
	}
	s.checkGivenOnes(faults)
	if s.Protocol.Review == ReviewPeer && len(s.Agents) == 1 {
		others := slices.DeleteFunc(slices.Clone(s.Given), func(given GivenSpec) bool { return given.Author == s.Agents[0].AgentID })
		if len(others) < leastGiven {
			faults.Add(path, "must have at least %d that the only agent isn't the author of, got %d", leastGiven, len(others))
		}
	}
}

func (s RequestSpec) checkGivenOnes(faults *Faults) {
	ids, authors, agents := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, agent := range s.Agents {
		agents[agent.AgentID] = true
	}
	for i, given := range s.Given {
		at := fmt.Sprintf("proposals[%d]", i)
		faults.required(at+".id", given.ID, MaxName)
		faults.required(at+".text", given.Text, maxGiven)
		faults.bounded(at+".author", given.Author, MaxName)
		if j, taken := ids[given.ID]; taken && strings.TrimSpace(given.ID) != "" {
			faults.Add(at+".id", "duplicate of proposals[%d]", j)
		}
		if j, taken := authors[given.Author]; taken && agents[given.Author] {
			faults.Add(at+".author", "the agent is the author of proposals[%d] already; an agent can have one", j)
		}
		if agents[given.ID] && given.Author != given.ID {
			faults.Add(at+".id", "is the id of an agent that isn't its author; choose another one")
		}
		ids[given.ID], authors[given.Author] = i, i
	}
}

// authors returns who may have a proposal: the agents, or the authors of the given proposals. An author that
// isn't an agent of the council goes by its proposal's id.
func (r DeliberationRequest) authors() []AgentConfig {
	if len(r.given) == 0 {
		return r.agents
	}
	return Each(r.given, r.authorOf)
}

func (r DeliberationRequest) authorOf(given GivenSpec) AgentConfig {
	for _, agent := range r.agents {
		if agent.id == given.Author {
			return agent
		}
	}
	return AgentConfig{id: given.ID}
}

// isAgent reports whether an author can be asked for a revision.
func (r DeliberationRequest) isAgent(author AgentConfig) bool {
	return slices.Contains(r.agents, author)
}

// revisers counts the authors that can revise.
func (r DeliberationRequest) revisers() int {
	count := 0
	for _, author := range r.authors() {
		if r.isAgent(author) {
			count++
		}
	}
	return count
}

// withGiven enters the given proposals into the ledger, as completed and without a cost.
func (c Council) withGiven() Council {
	for _, given := range c.request.given {
		author := c.request.authorOf(given)
		turn := c.Turn(Assignment{Phase: Phase{Kind: Propose}, Agent: author})
		turn.id = turnIDOf(c.run.WorkflowID, c.run.OriginalRunID, "given", given.ID, given.Author, given.Text)
		c.ledger = append(c.ledger, &entry{
			assignment: turn.assignment, turn: turn, state: AgentCompleted,
			result: DeliberationResult{agent: author, answer: Answer{proposal: given.Text}, metadata: map[string]string{}, given: given.ID, author: given.Author},
		})
	}
	return c
}

// share returns the given proposals that a reviewer reads when there are many: the next ones in the circle, except
// its own. Together, the reviewers read each proposal about three times.
func (c Council) share(circle []int, place, mine int) []int {
	_, reads := c.request.reviewLoad()
	start := place * reads % len(circle)
	var share []int
	for step := range circle {
		if i := circle[(start+step)%len(circle)]; i != mine && len(share) < reads {
			share = append(share, i)
		}
	}
	return share
}

// sharedReads returns the number of given proposals that each peer reads.
func (r DeliberationRequest) sharedReads() int {
	given, reviewers := len(r.given), len(r.agents)
	if given <= mostReadAll {
		return given
	}
	return min(given, max(mostRead, (mostRead*given+reviewers-1)/reviewers))
}
