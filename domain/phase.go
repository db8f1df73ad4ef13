package domain

import "slices"

// PhaseKind is the purpose of a phase's turns. Append only: it travels in histories.
type PhaseKind string

// Kinds of phases.
const (
	Propose    PhaseKind = "propose"    // each agent makes its proposal
	PeerReview PhaseKind = "review"     // reviewers judge proposals that aren't theirs
	Revise     PhaseKind = "revise"     // authors revise their proposals by the critiques
	Synthesize PhaseKind = "synthesize" // the chair writes the final answer
)

// phaseKinds are all kinds, in the order in which they first come.
var phaseKinds = []PhaseKind{Propose, PeerReview, Revise, Synthesize}

// PhaseKinds returns all kinds of phases, in the order in which they first come.
func PhaseKinds() []PhaseKind { return slices.Clone(phaseKinds) }

// Phase is one step of a deliberation: turns of one kind, all submitted together. Round is 0 for the
// proposals and for the final answer; round n is the n-th review and the revision after it.
type Phase struct {
	Kind  PhaseKind
	Round int
}

// Assignment is what a phase asks of one agent. Reads lists the turns whose answers are in the agent's prompt,
// in their order there.
type Assignment struct {
	Phase Phase
	Agent AgentConfig
	Reads []TurnID
}
