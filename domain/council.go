package domain

import (
	"maps"
	"slices"
)

// AgentState is where an agent stands in its current phase.
type AgentState string

// States of an agent.
const (
	AgentWaiting   AgentState = "waiting"
	AgentSubmitted AgentState = "submitted"
	AgentCompleted AgentState = "completed"
	AgentFailed    AgentState = "failed"
)

// Settled reports whether nothing more is expected of the agent.
func (s AgentState) Settled() bool { return s == AgentCompleted || s == AgentFailed }

// Council is the agents of one deliberation, with a ledger: what was asked of each, and with which result.
// It decides what follows from an outcome; nothing else counts attempts.
type Council struct {
	request DeliberationRequest
	run     RunKey
	ledger  []*entry // in the order of assignment; an entry never changes, another one replaces it
	paid    map[PhaseKind]Usage
	paidTo  map[string]Usage // by model
	wasted  int
	unnamed int // prompt tokens that the budget reserved for calls whose usage names none
}

// entry is one assignment in the ledger.
type entry struct {
	assignment Assignment
	turn       Turn // the latest attempt
	cluster    string
	state      AgentState
	cost       Usage // the most that one call may cost

	failures   int  // attempts that ran and failed
	unreadable int  // failures whose answer couldn't be read
	losses     int  // attempts whose runner died
	uncounted  int  // attempts whose cost nobody knows
	unstarted  int  // attempts that were stopped before they started
	running    bool // the latest attempt was submitted, and nobody has seen its end

	result  DeliberationResult // of a completed proposal or revision
	review  Review             // of a completed review
	failure AgentFailure
}

func (e *entry) settled() bool { return e.state.Settled() }

// NewCouncil returns the council of a request, with the proposals that exist already. Nothing is assigned yet.
func NewCouncil(request DeliberationRequest, run RunKey) Council {
	return Council{request: request, run: run}.withGiven()
}

func (c Council) Request() DeliberationRequest { return c.request }

// Assign enters assignments into the ledger. It doesn't change an assignment that is there already.
func (c Council) Assign(assignments []Assignment) Council {
	c.ledger = slices.Clone(c.ledger)
	for _, assignment := range assignments {
		if c.at(assignment) == nil {
			c.ledger = append(c.ledger, &entry{assignment: assignment, turn: c.Turn(assignment), state: AgentWaiting, cost: c.callCost(assignment)})
		}
	}
	return c
}

// Submitted records that the turn is on its way to Ray, or, with a handle, that it lives there. It doesn't
// change a settled assignment.
func (c Council) Submitted(turn Turn, handle Handle) Council {
	return c.change(turn.assignment, func(e *entry) {
		if e.settled() {
			return
		}
		e.turn, e.state, e.cluster, e.running = turn, AgentWaiting, "", true
		if !handle.IsZero() {
			e.state, e.cluster = AgentSubmitted, handle.Cluster
		}
	})
}

// Settled reports whether no assignment of the phase is open.
func (c Council) Settled(phase Phase) bool {
	return !slices.ContainsFunc(c.ledger, func(e *entry) bool { return e.assignment.Phase == phase && !e.settled() })
}

// Has reports whether the turn's assignment is completed.
func (c Council) Has(turn Turn) bool {
	e := c.at(turn.assignment)
	return e != nil && e.state == AgentCompleted
}

// Done reports whether the turn's assignment is completed or given up.
func (c Council) Done(turn Turn) bool {
	e := c.at(turn.assignment)
	return e != nil && e.settled()
}

// QuorumMet reports whether there are enough proposals for a result.
func (c Council) QuorumMet() bool {
	if len(c.request.given) > 0 {
		return true
	}
	proposals := 0
	for _, e := range c.ledger {
		if e.assignment.Phase.Kind == Propose && e.state == AgentCompleted {
			proposals++
		}
	}
	return proposals >= c.Needs()
}

func (c Council) Needs() int { return c.request.protocol.Needs() }

// Waste adds the cost of a turn whose answer doesn't count.
func (c Council) Waste(turn Turn, usage Usage) Council {
	c = c.pay(turn, usage)
	c.wasted += usage.Tokens()
	return c
}

func (c Council) pay(turn Turn, usage Usage) Council {
	c.paid = added(c.paid, turn.assignment.Phase.Kind, usage)
	if usage != (Usage{}) {
		c.paidTo = added(c.paidTo, turn.assignment.Agent.model, usage)
	}
	if e := c.at(turn.assignment); e != nil && usage.PromptTokens == 0 && usage != (Usage{}) {
		c.unnamed += e.cost.PromptTokens * max(1, usage.Calls)
	}
	return c
}

func added[Key comparable](to map[Key]Usage, key Key, usage Usage) map[Key]Usage {
	sums := maps.Clone(to)
	if sums == nil {
		sums = map[Key]Usage{}
	}
	sums[key] = sums[key].Plus(usage)
	return sums
}

// Paid returns the cost of all attempts, and how many of its tokens went into answers that don't count.
func (c Council) Paid() (usage Usage, wastedTokens int) {
	for _, kind := range phaseKinds {
		usage = usage.Plus(c.paid[kind])
	}
	return usage, c.wasted
}

func (c Council) PaidFor(kind PhaseKind) Usage { return c.paid[kind] }

// at returns an assignment's entry in the ledger, nil if there is none.
func (c Council) at(assignment Assignment) *entry {
	for _, e := range c.ledger {
		if e.assignment.Phase == assignment.Phase && e.assignment.Agent.id == assignment.Agent.id {
			return e
		}
	}
	return nil
}

func (c Council) change(assignment Assignment, do func(*entry)) Council {
	e := c.at(assignment)
	if e == nil {
		return c
	}
	changed := *e
	do(&changed)
	c.ledger = slices.Clone(c.ledger)
	c.ledger[slices.Index(c.ledger, e)] = &changed
	return c
}
