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
	attempts int               // up to the one that completed
	duration time.Duration     // how long the model took for the answer that counts
	usage    Usage             // the cost of that answer
	metadata map[string]string // where it came from and how it was read

	judgement *Judgement // nil if there is no review of it

	given  string // the id of a proposal that existed before; empty if the council made it
	author string // of such a proposal
}

func (r DeliberationResult) Agent() AgentConfig          { return r.agent }
func (r DeliberationResult) Given() (id, author string)  { return r.given, r.author }
func (r DeliberationResult) Proposal() string            { return r.answer.proposal }
func (r DeliberationResult) Reasoning() string           { return r.answer.reasoning }
func (r DeliberationResult) Answer() string              { return r.answer.short }
func (r DeliberationResult) OwnScore() float64           { return r.answer.score }
func (r DeliberationResult) Attempts() int               { return r.attempts }
func (r DeliberationResult) Duration() time.Duration     { return r.duration }
func (r DeliberationResult) Usage() Usage                { return r.usage }
func (r DeliberationResult) Metadata() map[string]string { return maps.Clone(r.metadata) }

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

// Judgement returns what the reviewers say about the proposal, and whether there are any reviews.
func (r DeliberationResult) Judgement() (Judgement, bool) {
	if r.judgement == nil {
		return Judgement{}, false
	}
	return *r.judgement, true
}

// CouncilResult is the result of a council: the proposals, the best first, and the agents that failed.
type CouncilResult struct {
	total    int // agents
	results  []DeliberationResult
	failures []AgentFailure // in request order

	basis       RankingBasis
	unreviewed  bool     // reviews were asked for, and none could be used
	votes       []Vote   // the most first; none if the council doesn't vote
	concordance *float64 // Kendall's W of the rankings; nil if it isn't defined
	note        string   // why the first proposal doesn't have the highest score; empty if it has
}

func (r CouncilResult) Total() int                    { return r.total }
func (r CouncilResult) Completed() int                { return len(r.results) }
func (r CouncilResult) Failed() int                   { return len(r.failures) }
func (r CouncilResult) Results() []DeliberationResult { return slices.Clone(r.results) }
func (r CouncilResult) Failures() []AgentFailure      { return slices.Clone(r.failures) }
func (r CouncilResult) Basis() RankingBasis           { return r.basis }
func (r CouncilResult) Votes() []Vote                 { return slices.Clone(r.votes) }
func (r CouncilResult) Concordance() *float64         { return r.concordance }
func (r CouncilResult) Note() string                  { return r.note }

// AverageScore returns the average score of the proposals, 0 if there is none.
func (r CouncilResult) AverageScore() float64 {
	if len(r.results) == 0 {
		return 0
	}
	return meanScore(r.results)
}

// Degraded reports whether the proposal of any agent is missing, or all reviews that were asked for.
func (r CouncilResult) Degraded() bool { return len(r.results) < r.total || r.unreviewed }
