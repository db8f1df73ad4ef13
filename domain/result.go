package domain

import (
	"maps"
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
}

// ResultSpec is what a [DeliberationResult] is made of.
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

// Agent is whose proposal it is.
func (r DeliberationResult) Agent() AgentConfig { return r.agent }

// Proposal is what the agent proposes.
func (r DeliberationResult) Proposal() string { return r.answer.proposal }

// Reasoning is why.
func (r DeliberationResult) Reasoning() string { return r.answer.reasoning }

// Score is in [0,1].
func (r DeliberationResult) Score() float64 { return r.answer.score }

// Attempts is how many tries it took.
func (r DeliberationResult) Attempts() int { return r.attempts }

// Duration is how long the model took for the answer that counts.
func (r DeliberationResult) Duration() time.Duration { return r.duration }

// Usage is what the answer that counts cost.
func (r DeliberationResult) Usage() Usage { return r.usage }

// Metadata says where the answer came from and how it was read.
func (r DeliberationResult) Metadata() map[string]string { return maps.Clone(r.metadata) }

// CouncilResult is what a council came to: the proposals, the best first.
type CouncilResult struct {
	total    int
	results  []DeliberationResult
	failures []AgentFailure
}

// NewCouncilResult checks the counts: completed and failed are at most the total. The error is [Faults].
func NewCouncilResult(total int, ranked []DeliberationResult, failures []AgentFailure) (CouncilResult, error) {
	var faults Faults
	if total < 0 {
		faults.Add("total_agents", "cannot be negative, got %d", total)
	}
	if ended := len(ranked) + len(failures); ended > max(0, total) {
		faults.Add("completed_agents + failed_agents", "must be at most %d, got %d", max(0, total), ended)
	}
	if err := faults.OrNil(); err != nil {
		return CouncilResult{}, err
	}
	return CouncilResult{
		total: total, results: append([]DeliberationResult(nil), ranked...), failures: append([]AgentFailure(nil), failures...),
	}, nil
}

// Total is how many agents there are.
func (r CouncilResult) Total() int { return r.total }

// Completed is how many gave a proposal.
func (r CouncilResult) Completed() int { return len(r.results) }

// Failed is how many came to nothing.
func (r CouncilResult) Failed() int { return len(r.failures) }

// Results are the proposals, the best first.
func (r CouncilResult) Results() []DeliberationResult {
	return append([]DeliberationResult(nil), r.results...)
}

// Failures are the agents without a proposal, in request order.
func (r CouncilResult) Failures() []AgentFailure {
	return append([]AgentFailure(nil), r.failures...)
}

// Best is the first of the ranked proposals; false when there is none.
func (r CouncilResult) Best() (DeliberationResult, bool) {
	if len(r.results) == 0 {
		return DeliberationResult{}, false
	}
	return r.results[0], true
}

// AverageScore is over the completed, 0 when there is none.
func (r CouncilResult) AverageScore() float64 {
	if len(r.results) == 0 {
		return 0
	}
	sum := 0.0
	for _, result := range r.results {
		sum += result.answer.score
	}
	return sum / float64(len(r.results))
}

// Degraded tells whether any agent's proposal is missing.
func (r CouncilResult) Degraded() bool { return len(r.results) < r.total }
