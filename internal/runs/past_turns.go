package runs

import (
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// PastTurn is one attempt of an agent in a phase. Ended is zero while the turn runs, or if the run ended before it.
type PastTurn struct {
	AgentID string           `json:"agent_id"`
	Phase   domain.PhaseKind `json:"phase"`
	Round   int              `json:"round"`
	Attempt int              `json:"attempt"`
	Begun   time.Time        `json:"begun"` // when a cluster accepted the turn; before that, when it was submitted
	Ended   time.Time        `json:"ended,omitzero"`
	Outcome string           `json:"outcome,omitempty"`
	Why     string           `json:"why,omitempty"` // why it gave no answer
}

// Turns returns all turns, in the order in which they were submitted.
func (t *Timeline) Turns() []PastTurn {
	return domain.Each(t.order, func(id domain.TurnID) PastTurn { return *t.past[id] })
}

// SoFar returns the result that the run would have if it ended now.
func (t *Timeline) SoFar(id string) contract.Result {
	ranked := t.council.Rank()
	result := contract.Result{
		DeliberationID: id, TaskID: t.Request().TaskID(), Status: domain.StatusRunning, RankingBasis: ranked.Basis(),
		Results: contract.ResultsOf(ranked), Failures: contract.AgentFailuresOf(ranked.Failures()), TotalAgents: ranked.Total(),
		CompletedAgents: ranked.Completed(), FailedAgents: ranked.Failed(), Usage: contract.TotalUsageOf(t.council, nil),
		Review: contract.ReviewSummaryOf(t.council, ranked), Candidates: contract.CandidatesOf(t.council.Candidates()),
		Reviews: contract.ReviewRecordsOf(t.council), Revisions: contract.RevisionRecordsOf(t.council),
		StartedAt: t.started,
	}
	if t.closing != nil {
		result.CompletedAt = t.closing.GetEventTime().AsTime()
	}
	return result
}

func (t *Timeline) Places() map[string][]int { return t.council.Places() }

// Request returns the request as the workflow read it. It is zero if the request breaks a rule.
func (t *Timeline) Request() domain.DeliberationRequest { return t.council.Request() }

func (t *Timeline) Phase() (phase string, round int) { return t.phase, t.round }

// submitted records a turn. A turn that is submitted again keeps its place.
func (t *Timeline) submitted(turn domain.Turn) {
	if _, known := t.past[turn.ID()]; known {
		return
	}
	t.order = append(t.order, turn.ID())
	t.past[turn.ID()] = &PastTurn{
		AgentID: turn.Agent().ID(), Phase: turn.Phase().Kind, Round: turn.Phase().Round, Attempt: turn.Attempt(), Begun: t.now,
	}
}

func (t *Timeline) accepted(id domain.TurnID) {
	if past, known := t.past[id]; known && past.Ended.IsZero() {
		past.Begun = t.now
	}
}

func (t *Timeline) endTurn(id domain.TurnID, outcome domain.OutcomeKind, why string) {
	if past, known := t.past[id]; known && past.Ended.IsZero() {
		past.Ended, past.Outcome, past.Why = t.now, string(outcome), why
	}
}
