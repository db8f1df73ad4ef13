package domain

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// DeliberationResult is one agent's proposal.
type DeliberationResult struct {
	agent    AgentConfig
	answer   Answer
	attempts int
	duration time.Duration
	usage    Usage
	metadata map[string]string

	judgement *Judgement // nil if there is no review of it

	given  string // the id of a proposal that existed before; empty if the council made it
	author string // of such a proposal
}

// ResultSpec holds the parts of a [DeliberationResult].
type ResultSpec struct {
	Agent    AgentConfig
	Answer   Answer
	Attempts int
	Duration time.Duration
	Usage    Usage
	Metadata map[string]string
}

// NewDeliberationResult checks the spec; the error is [Faults].
func NewDeliberationResult(spec ResultSpec) (DeliberationResult, error) {
	var faults Faults
	if spec.Agent.IsZero() {
		faults.Add("agent_id", "cannot be empty")
	}
	if strings.TrimSpace(spec.Answer.proposal) == "" {
		faults.Add("proposal", "cannot be empty")
	}
	if !validScore(spec.Answer.score) {
		faults.Add("score", "must be a number in 0..1, got %g", spec.Answer.score)
	}
	if err := faults.OrNil(); err != nil {
		return DeliberationResult{}, err
	}
	return DeliberationResult{
		agent: spec.Agent, answer: spec.Answer, attempts: spec.Attempts,
		duration: spec.Duration, usage: spec.Usage, metadata: maps.Clone(spec.Metadata),
	}, nil
}

// Agent returns the agent that made the proposal.
func (r DeliberationResult) Agent() AgentConfig { return r.agent }

// Given returns the id and the author of a proposal that existed before the deliberation; empty if the council
// made it.
func (r DeliberationResult) Given() (id, author string) { return r.given, r.author }

// Proposal returns what the agent proposes.
func (r DeliberationResult) Proposal() string { return r.answer.proposal }

// Reasoning returns why the agent proposes it.
func (r DeliberationResult) Reasoning() string { return r.answer.reasoning }

// Answer returns the short answer that is counted; empty if the council doesn't vote.
func (r DeliberationResult) Answer() string { return r.answer.short }

// text returns the proposal as other agents read it.
func (r DeliberationResult) text() ProposalText {
	return ProposalText{Proposal: r.Proposal(), Reasoning: r.Reasoning(), Answer: r.Answer()}
}

// Score returns the reviewers' score if there are reviews, else the agent's own. It is in [0,1].
func (r DeliberationResult) Score() float64 {
	if r.judgement != nil {
		return r.judgement.Score
	}
	return r.answer.score
}

// OwnScore returns the agent's score of its own proposal, in [0,1].
func (r DeliberationResult) OwnScore() float64 { return r.answer.score }

// Judgement returns what the reviewers say about the proposal, and whether there are any reviews.
func (r DeliberationResult) Judgement() (Judgement, bool) {
	if r.judgement == nil {
		return Judgement{}, false
	}
	return *r.judgement, true
}

// Attempts returns how many attempts there were, up to the one that completed.
func (r DeliberationResult) Attempts() int { return r.attempts }

// Duration returns how long the model took for the answer that counts.
func (r DeliberationResult) Duration() time.Duration { return r.duration }

// Usage returns the cost of the answer that counts.
func (r DeliberationResult) Usage() Usage { return r.usage }

// Metadata returns where the answer came from and how it was read.
func (r DeliberationResult) Metadata() map[string]string { return maps.Clone(r.metadata) }

// CouncilResult is the result of a council: the proposals, the best first, and the agents that failed.
type CouncilResult struct {
	total    int
	results  []DeliberationResult
	failures []AgentFailure

	basis       RankingBasis
	unreviewed  bool // reviews were asked for, and none could be used
	votes       []Vote
	concordance *float64
	note        string
}

// Total returns the number of agents.
func (r CouncilResult) Total() int { return r.total }

// Completed returns how many agents gave a proposal.
func (r CouncilResult) Completed() int { return len(r.results) }

// Failed returns how many agents failed.
func (r CouncilResult) Failed() int { return len(r.failures) }

// Results returns the proposals, the best first.
func (r CouncilResult) Results() []DeliberationResult {
	return append([]DeliberationResult(nil), r.results...)
}

// Failures returns why agents have no proposal, in request order.
func (r CouncilResult) Failures() []AgentFailure {
	return append([]AgentFailure(nil), r.failures...)
}

// Best returns the best proposal, and whether there is one.
func (r CouncilResult) Best() (DeliberationResult, bool) {
	if len(r.results) == 0 {
		return DeliberationResult{}, false
	}
	return r.results[0], true
}

// AverageScore returns the average score of the proposals, 0 if there is none.
func (r CouncilResult) AverageScore() float64 {
	if len(r.results) == 0 {
		return 0
	}
	sum := 0.0
	for _, result := range r.results {
		sum += result.Score()
	}
	return sum / float64(len(r.results))
}

// Basis returns what ranks the proposals.
func (r CouncilResult) Basis() RankingBasis { return r.basis }

// Votes returns the answers by their votes, the most first; none if the council doesn't vote.
func (r CouncilResult) Votes() []Vote { return slices.Clone(r.votes) }

// Concordance returns Kendall's W of the rankings; nil if it isn't defined.
func (r CouncilResult) Concordance() *float64 { return r.concordance }

// Note explains why the first proposal doesn't have the highest score; empty if it has.
func (r CouncilResult) Note() string { return r.note }

// Degraded reports whether the proposal of any agent is missing, or all reviews that were asked for.
func (r CouncilResult) Degraded() bool { return len(r.results) < r.total || r.unreviewed }
