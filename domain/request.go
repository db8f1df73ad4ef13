package domain

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a [DeliberationRequest], in bytes of Go's JSON encoding.
const (
	MaxRequest     = 512 << 10
	MaxDescription = 256 << 10
	MaxAgents      = 64
	maxPersona     = 32 << 10 // 64 of them must fit well into one request to Ray
)

// DeliberationRequest is a task put to a council.
type DeliberationRequest struct {
	taskID      string // the caller's
	description string // the text that the agents work on
	role        string // of the council
	constraints TaskConstraints
	agents      []AgentConfig
	vllmURL     string // the model server, as the Ray cluster sees it
	protocol    Protocol
	given       []GivenSpec
	givenSize   int // bytes of the given proposals in a result
}

func (r DeliberationRequest) TaskID() string               { return r.taskID }
func (r DeliberationRequest) TaskDescription() string      { return r.description }
func (r DeliberationRequest) Role() string                 { return r.role }
func (r DeliberationRequest) Constraints() TaskConstraints { return r.constraints }
func (r DeliberationRequest) Agents() []AgentConfig        { return slices.Clone(r.agents) }
func (r DeliberationRequest) VLLMURL() string              { return r.vllmURL }
func (r DeliberationRequest) Protocol() Protocol           { return r.protocol }

// RequestSpec holds the parts of a [DeliberationRequest].
type RequestSpec struct {
	TaskID          string
	TaskDescription string
	Role            string
	Constraints     ConstraintsSpec
	Agents          []AgentSpec
	VLLMURL         string
	VLLMModel       string
	Protocol        ProtocolSpec
	Given           []GivenSpec // proposals that exist already; nil: the council makes its own
}

// NewDeliberationRequest checks every rule. The error is [Faults] and names every broken rule.
func NewDeliberationRequest(spec RequestSpec) (DeliberationRequest, error) {
	request := RestoreRequest(spec)
	var faults Faults
	faults.required("task_id", spec.TaskID, MaxName)
	faults.required("task_description", spec.TaskDescription, MaxDescription)
	faults.required("role", spec.Role, MaxName)
	spec.Constraints.check(&faults)
	checkAgents(spec.Agents, spec.Protocol.roles(), &faults)
	checkURL("vllm_url", spec.VLLMURL, &faults)
	faults.required("vllm_model", spec.VLLMModel, MaxName)
	spec.Protocol.check(len(spec.Agents), spec.Given != nil, &faults)
	spec.checkGiven(&faults)
	request.checkPersonas(&faults)
	if len(faults) == 0 {
		request.checkBudget(&faults)
	}
	if err := faults.OrNil(); err != nil {
		return DeliberationRequest{}, err
	}
	return request, nil
}

// RestoreRequest makes a request of a recorded spec, which was checked before. It checks nothing: a rule that
// became stricter must not break a running deliberation.
func RestoreRequest(spec RequestSpec) DeliberationRequest {
	return DeliberationRequest{
		taskID: spec.TaskID, description: spec.TaskDescription, role: spec.Role,
		constraints: spec.Constraints.constraints(), agents: Each(spec.Agents, AgentSpec.agent),
		vllmURL: spec.VLLMURL, protocol: spec.Protocol.protocol(),
		given: slices.Clone(spec.Given), givenSize: sizeOfGiven(spec.Given),
	}
}

// checkAgents checks the members of a council, whose ids must differ from those of its judge and its chair.
func checkAgents(specs []AgentSpec, taken []string, faults *Faults) {
	switch {
	case len(specs) == 0:
		faults.Add("agents", "needs at least one agent")
	case len(specs) > MaxAgents:
		faults.Add("agents", "must be at most %d, got %d", MaxAgents, len(specs))
	}
	first := make(map[string]int, len(specs))
	for i, spec := range specs {
		path := fmt.Sprintf("agents[%d]", i)
		spec.check(path, faults)
		switch j, twice := first[spec.AgentID]; {
		case slices.Contains(taken, spec.AgentID):
			faults.Add(path+".agent_id", "%s is the council's %s; choose another id", spec.AgentID, spec.AgentID)
		case twice && strings.TrimSpace(spec.AgentID) != "":
			faults.Add(path+".agent_id", "duplicate of agents[%d]", j)
		default:
			first[spec.AgentID] = i
		}
	}
}

// checkPersonas bounds the expanded templates: a short template can repeat a long id many times.
func (r DeliberationRequest) checkPersonas(faults *Faults) {
	for i, agent := range r.agents {
		size := 0
		for _, part := range r.persona(agent) {
			size += EncodedSize(part.Text)
		}
		if size > maxPersona && EncodedSize(agent.template) <= MaxTemplate {
			faults.Add(fmt.Sprintf("agents[%d].prompt_template", i), "must expand to at most %d bytes in JSON, got %d", maxPersona, size)
		}
	}
}

// Agent returns the participant of a phase with this id: a member of the council, the judge or the chair.
func (r DeliberationRequest) Agent(phase Phase, id string) (AgentConfig, bool) {
	if phase.Kind == Synthesize {
		return r.chair(), id == r.chair().id
	}
	if phase.Kind == PeerReview && r.protocol.Review() == ReviewJudge {
		return r.judge(), id == r.judge().id
	}
	for _, agent := range r.agents {
		if agent.id == id {
			return agent, true
		}
	}
	return AgentConfig{}, false
}

// The ids of the participants that are no members of the council.
const (
	JudgeID = "judge"
	chairID = "chair"
)

// judge returns the agent that reviews all proposals.
func (r DeliberationRequest) judge() AgentConfig {
	return AgentConfig{id: JudgeID, role: "JUDGE", model: r.protocol.spec.JudgeModel}
}

// Title describes the deliberation for people: its task, role and council.
func (r DeliberationRequest) Title() string {
	return fmt.Sprintf("%s · %s · %s", r.taskID, r.role, Count(len(r.agents), "agent"))
}

// Count returns a number with its noun, for example "1 agent" or "3 agents".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
