package domain

import "slices"

// Seat shows how far one agent is.
type Seat struct {
	agent AgentConfig
	entry entry // before the first assignment: only the state, which is waiting
}

// Seats returns the seats of all agents, in request order. A judge or a chair follows while it is at work.
func (c Council) Seats() []Seat {
	seats := Each(c.request.agents, c.seat)
	for _, e := range c.ledger {
		if !e.settled() && !slices.Contains(c.request.agents, e.assignment.Agent) {
			seats = append(seats, Seat{agent: e.assignment.Agent, entry: *e})
		}
	}
	return seats
}

// Retired returns the seats of a judge and a chair that are no longer at work.
func (c Council) Retired() []Seat {
	var done []Seat
	for _, e := range c.ledger {
		agent := e.assignment.Agent
		if e.assignment.Phase.Kind == Propose || slices.Contains(c.request.agents, agent) { // nobody works on a given proposal
			continue
		}
		done = slices.DeleteFunc(done, func(seat Seat) bool { return seat.agent == agent }) // a judge works in each round
		if e.settled() {
			done = append(done, Seat{agent: agent, entry: *e})
		}
	}
	return done
}

// Seat returns the seat of one agent, and whether the council has such an agent.
func (c Council) Seat(agentID string) (Seat, bool) {
	for _, agent := range c.request.agents {
		if agent.id == agentID {
			return c.seat(agent), true
		}
	}
	return Seat{}, false
}

// seat returns the assignment that the agent works on, or else its proposal. An agent without a proposal of its own,
// which only judges given ones, has its latest review.
func (c Council) seat(agent AgentConfig) Seat {
	seat := Seat{agent: agent, entry: entry{state: AgentWaiting}}
	for _, e := range c.ledger {
		proposed := seat.entry.assignment.Phase.Kind == Propose
		if e.assignment.Agent == agent && (!proposed || !e.settled()) {
			seat.entry = *e
		}
	}
	return seat
}

func (s Seat) Agent() AgentConfig         { return s.agent }
func (s Seat) State() AgentState          { return s.entry.state }
func (s Seat) Attempt() int               { return s.entry.turn.attempt } // 0 before the first assignment
func (s Seat) TurnID() TurnID             { return s.entry.turn.id }
func (s Seat) Cluster() string            { return s.entry.cluster } // empty while no cluster has accepted the turn
func (s Seat) Result() DeliberationResult { return s.entry.result }  // if the agent completed
func (s Seat) Failure() AgentFailure      { return s.entry.failure } // if the agent failed

// AtWork returns the agents with an open assignment, each once.
func (c Council) AtWork() []AgentConfig {
	var agents []AgentConfig
	for _, e := range c.ledger {
		if !e.settled() && !slices.Contains(agents, e.assignment.Agent) {
			agents = append(agents, e.assignment.Agent)
		}
	}
	return agents
}
