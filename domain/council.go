package domain

import (
	"cmp"
	"slices"
)

// MaxLost is how often a turn may be lost before its agent fails.
const MaxLost = 3

// AgentState is where an agent stands.
type AgentState string

// States of an agent.
const (
	AgentWaiting   AgentState = "waiting"
	AgentSubmitted AgentState = "submitted"
	AgentCompleted AgentState = "completed"
	AgentFailed    AgentState = "failed"
)

// Seat is where one agent of the council stands.
type Seat struct {
	Agent   AgentConfig
	State   AgentState
	Attempt int
	TurnID  TurnID
	Cluster string

	result  DeliberationResult
	failure AgentFailure
}

// Council is the agents of one deliberation and what they have come to so far.
type Council struct {
	constraints TaskConstraints
	needs       int
	seats       []Seat
	paid        Usage
	wasted      int
}

// NewCouncil seats the request's agents, all of them waiting.
func NewCouncil(request DeliberationRequest) Council {
	seats := make([]Seat, 0, len(request.agents))
	for _, agent := range request.agents {
		seats = append(seats, Seat{Agent: agent, State: AgentWaiting})
	}
	return Council{constraints: request.constraints, needs: request.protocol.Needs(), seats: seats}
}

// Seats are the agents in request order.
func (c Council) Seats() []Seat { return slices.Clone(c.seats) }

// Submit notes that the turn is on its way to Ray, or on it when handle says where. An agent that is
// done stays so.
func (c Council) Submit(turn Turn, handle Handle) Council {
	return c.with(turn, func(seat *Seat) {
		if seat.Done() {
			return
		}
		seat.Attempt, seat.TurnID = turn.attempt, turn.id
		seat.State, seat.Cluster = AgentWaiting, ""
		if !handle.IsZero() {
			seat.State, seat.Cluster = AgentSubmitted, handle.Cluster
		}
	})
}

// Complete takes in what a turn came to. An agent is done when its turn gave a proposal; what else it
// cost is wasted. Use [Council.Fail] when there is no further attempt. A proposal also counts when its
// agent was given up before; of two, the first.
func (c Council) Complete(turn Turn, outcome Outcome) Council {
	completed, has := c.completedBy(turn.agent.id)
	if has && completed == turn.id {
		return c // the same answer once more, paid once
	}
	c.paid = c.paid.Plus(outcome.Usage)
	if outcome.Kind != OutcomeCompleted || has {
		c.wasted += outcome.Usage.Tokens()
		return c
	}
	result, err := NewDeliberationResult(ResultSpec{
		Agent: turn.agent, Answer: outcome.Answer, Attempts: turn.attempt,
		Duration: outcome.Duration, Usage: outcome.Usage, Metadata: outcome.Metadata,
	})
	if err != nil {
		c.wasted += outcome.Usage.Tokens()
		return c.Fail(turn, NewTurnFailure(InvalidOutput, err.Error(), false))
	}
	return c.with(turn, func(seat *Seat) {
		seat.State, seat.result, seat.failure = AgentCompleted, result, AgentFailure{}
		seat.Attempt, seat.TurnID = turn.attempt, turn.id
	})
}

// Has tells whether the agent's proposal is there.
func (c Council) Has(agentID string) bool {
	_, has := c.completedBy(agentID)
	return has
}

func (c Council) completedBy(agentID string) (TurnID, bool) {
	for _, seat := range c.seats {
		if seat.Agent.id == agentID && seat.State == AgentCompleted {
			return seat.TurnID, true
		}
	}
	return "", false
}

// Waste counts what a turn cost whose answer doesn't count any more.
func (c Council) Waste(usage Usage) Council {
	c.paid = c.paid.Plus(usage)
	c.wasted += usage.Tokens()
	return c
}

// Fail gives the turn's agent up, unless it has its proposal.
func (c Council) Fail(turn Turn, failure TurnFailure) Council {
	return c.with(turn, func(seat *Seat) {
		if seat.State == AgentCompleted {
			return
		}
		seat.State = AgentFailed
		seat.failure = AgentFailure{agentID: turn.agent.id, failure: failure, attempts: turn.attempt}
	})
}

// FailRest gives up every agent that isn't done.
func (c Council) FailRest(failure TurnFailure) Council {
	c.seats = slices.Clone(c.seats)
	for i := range c.seats {
		if seat := &c.seats[i]; !seat.Done() {
			seat.State = AgentFailed
			seat.failure = AgentFailure{agentID: seat.Agent.id, failure: failure, attempts: seat.Attempt}
		}
	}
	return c
}

// Next decides about a turn that came to nothing, after so many failures and losses of its agent: the
// failure to give up with, or false to try again.
func (c Council) Next(outcome Outcome, failures, losses int) (TurnFailure, bool) {
	switch outcome.Kind {
	case OutcomeLost:
		if losses > MaxLost {
			return NewTurnFailure(LostRepeatedly, "its runner died "+Count(losses, "time")+": "+outcome.Reason, false), true
		}
		return TurnFailure{}, false
	case OutcomeFailed:
		if !outcome.Failure.retryable || !c.constraints.MayRetry(failures) {
			return outcome.Failure, true
		}
		return TurnFailure{}, false
	case OutcomeCompleted, OutcomeUnreachable, OutcomeCancelled, OutcomeRunning:
		return TurnFailure{}, false
	}
	return TurnFailure{}, false
}

// Done tells that the agent has its proposal, or none to come.
func (s Seat) Done() bool { return s.State == AgentCompleted || s.State == AgentFailed }

// Result is the agent's proposal, when completed.
func (s Seat) Result() DeliberationResult { return s.result }

// Failure is why it has none, when failed.
func (s Seat) Failure() AgentFailure { return s.failure }

// Decided tells that no agent is still at work.
func (c Council) Decided() bool {
	return !slices.ContainsFunc(c.seats, func(seat Seat) bool { return !seat.Done() })
}

// QuorumMet tells that there are proposals enough for a result.
func (c Council) QuorumMet() bool {
	completed := 0
	for _, seat := range c.seats {
		if seat.State == AgentCompleted {
			completed++
		}
	}
	return completed >= c.needs
}

// Needs is how many proposals make a result.
func (c Council) Needs() int { return c.needs }

// Paid is what all attempts cost, and how many of its tokens went into answers that don't count.
func (c Council) Paid() (usage Usage, wastedTokens int) { return c.paid, c.wasted }

// Rank orders the proposals by their agents' own scores, the best first; equal ones keep request order.
func (c Council) Rank() CouncilResult {
	ranked := CouncilResult{total: len(c.seats)}
	for _, seat := range c.seats {
		switch seat.State {
		case AgentCompleted:
			ranked.results = append(ranked.results, seat.result)
		case AgentFailed:
			ranked.failures = append(ranked.failures, seat.failure)
		case AgentWaiting, AgentSubmitted:
		}
	}
	slices.SortStableFunc(ranked.results, func(a, b DeliberationResult) int {
		return cmp.Compare(b.answer.score, a.answer.score)
	})
	return ranked
}

func (c Council) with(turn Turn, change func(*Seat)) Council {
	c.seats = slices.Clone(c.seats)
	for i := range c.seats {
		if c.seats[i].Agent.id == turn.agent.id {
			change(&c.seats[i])
		}
	}
	return c
}
