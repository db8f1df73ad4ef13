package domain

// Seat is where one agent stands: its part in the latest phase that asked something of it.
type Seat struct {
	agent AgentConfig
	entry entry // zero while nothing was asked
}

// Seats returns where each agent stands, in request order.
func (c Council) Seats() []Seat {
	seats := make([]Seat, 0, len(c.request.agents))
	for _, agent := range c.request.agents {
		seats = append(seats, c.seat(agent))
	}
	return seats
}

// Seat returns where one agent stands; false if the council has no such agent.
func (c Council) Seat(agentID string) (Seat, bool) {
	for _, agent := range c.request.agents {
		if agent.id == agentID {
			return c.seat(agent), true
		}
	}
	return Seat{}, false
}

func (c Council) seat(agent AgentConfig) Seat {
	seat := Seat{agent: agent, entry: entry{state: AgentWaiting}}
	for _, e := range c.ledger {
		if e.assignment.Agent.id == agent.id {
			seat.entry = e
		}
	}
	return seat
}

// Agent is who sits there.
func (s Seat) Agent() AgentConfig { return s.agent }

// State is where the agent stands.
func (s Seat) State() AgentState { return s.entry.state }

// Phase is what the agent was asked for last.
func (s Seat) Phase() Phase { return s.entry.assignment.Phase }

// Attempt is the latest attempt, 0 while nothing was asked.
func (s Seat) Attempt() int { return s.entry.turn.attempt }

// TurnID is the latest turn's name on Ray.
func (s Seat) TurnID() TurnID { return s.entry.turn.id }

// Cluster is where the latest turn lives; empty while no cluster has accepted it.
func (s Seat) Cluster() string { return s.entry.cluster }

// Done reports whether nothing more is asked of the agent in this phase.
func (s Seat) Done() bool { return s.entry.settled() }

// Result is the agent's proposal, when completed.
func (s Seat) Result() DeliberationResult { return s.entry.result }

// Failure is why the agent has no proposal, when failed.
func (s Seat) Failure() AgentFailure { return s.entry.failure }
