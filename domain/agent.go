package domain

import "strings"

// Bounds of an agent's texts, in bytes of Go's JSON encoding.
const (
	MaxName     = 200      // ids, roles, models
	MaxTemplate = 16 << 10 // prompt_template
)

// AgentConfig is one member of the council.
type AgentConfig struct {
	id       string
	role     string
	model    string
	template string
}

// AgentSpec is what an [AgentConfig] is made of. PromptTemplate is optional.
type AgentSpec struct {
	AgentID        string
	Role           string
	Model          string
	PromptTemplate string
}

// NewAgentConfig checks the spec; the error is [Faults] with paths relative to the agent.
func NewAgentConfig(spec AgentSpec) (AgentConfig, error) {
	var faults Faults
	faults.required("agent_id", spec.AgentID, MaxName)
	faults.required("role", spec.Role, MaxName)
	faults.required("model", spec.Model, MaxName)
	faults.bounded("prompt_template", spec.PromptTemplate, MaxTemplate)
	if _, err := parseTemplate(spec.PromptTemplate); err != nil {
		faults.Add("prompt_template", "%s", err.Error())
	}
	if err := faults.OrNil(); err != nil {
		return AgentConfig{}, err
	}
	return restoreAgent(spec), nil
}

func restoreAgent(spec AgentSpec) AgentConfig {
	return AgentConfig{id: spec.AgentID, role: spec.Role, model: spec.Model, template: spec.PromptTemplate}
}

// ID is unique in its council.
func (a AgentConfig) ID() string { return a.id }

// Role is what the agent stands for, for example QA.
func (a AgentConfig) Role() string { return a.role }

// Model is the model that answers for the agent.
func (a AgentConfig) Model() string { return a.model }

// PromptTemplate replaces the agent's persona; empty means the persona of its role.
func (a AgentConfig) PromptTemplate() string { return a.template }

// IsZero tells the value that no constructor made.
func (a AgentConfig) IsZero() bool { return strings.TrimSpace(a.id) == "" }
