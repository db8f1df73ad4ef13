package domain

// PhaseKind is the purpose of a phase's turns. Append only: it travels in histories.
type PhaseKind string

// Propose is the phase in which each agent makes its proposal.
const Propose PhaseKind = "propose"

// Phase is one step of a deliberation: turns of one kind, all submitted together. Round counts from 0.
type Phase struct {
	Kind  PhaseKind
	Round int
}

// Assignment is what a phase asks of one agent. Reads lists the turns whose answers the agent gets to read,
// in the order of its prompt.
type Assignment struct {
	Phase Phase
	Agent AgentConfig
	Reads []TurnID
}

// same reports whether both are the same agent's part in the same phase.
func (a Assignment) same(b Assignment) bool { return a.Phase == b.Phase && a.Agent.id == b.Agent.id }

// Plan is what a council does next. A plan without assignments means that the council is done.
type Plan struct{ Next []Assignment }

// Plan decides what the council does next. Call it once before each phase, when no assignment is open. An
// answer that comes later doesn't change what was assigned.
func (c Council) Plan() Plan {
	if len(c.ledger) == 0 {
		return Plan{Next: c.proposals()}
	}
	return Plan{}
}

// proposals asks every agent for its proposal.
func (c Council) proposals() []Assignment {
	next := make([]Assignment, 0, len(c.request.agents))
	for _, agent := range c.request.agents {
		next = append(next, Assignment{Phase: Phase{Kind: Propose}, Agent: agent})
	}
	return next
}
