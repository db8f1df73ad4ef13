package domain

import "strings"

// Bounds of an agent's texts, in bytes of Go's JSON encoding.
const (
	MaxName     = 200      // ids, roles, models
	MaxTemplate = 16 << 10 // prompt_template
)

// AgentConfig is one member of the council.
type AgentConfig struct {
	id       string // unique in its council
	role     string // for example QA
	model    string // the name of the model that answers for the agent
	template string
}

// AgentSpec holds the parts of an [AgentConfig]. PromptTemplate is optional.
type AgentSpec struct {
	AgentID        string
	Role           string
	Model          string
	PromptTemplate string
}

func (s AgentSpec) check(path string, faults *Faults) {
	faults.required(path+".agent_id", s.AgentID, MaxName)
	faults.required(path+".role", s.Role, MaxName)
	faults.required(path+".model", s.Model, MaxName)
	faults.bounded(path+".prompt_template", s.PromptTemplate, MaxTemplate)
	if _, err := parseTemplate(s.PromptTemplate); err != nil {
		faults.Add(path+".prompt_template", "%s", err.Error())
	}
}

func (s AgentSpec) agent() AgentConfig {
	return AgentConfig{id: s.AgentID, role: s.Role, model: s.Model, template: s.PromptTemplate}
}

func (a AgentConfig) ID() string    { return a.id }
func (a AgentConfig) Role() string  { return a.role }
func (a AgentConfig) Model() string { return a.model }

// IsZero reports whether this is the zero value and not an agent.
func (a AgentConfig) IsZero() bool { return strings.TrimSpace(a.id) == "" }
