package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

// readRequest reads a request's text. Defaults are filled in for absent fields only: an explicit null
// or empty text stays what it is, and is a fault.
func readRequest(text []byte) (domain.RequestSpec, *reading) {
	spec := domain.RequestSpec{
		Constraints: domain.ConstraintsSpec{
			TimeoutSeconds:      domain.DefaultTimeoutSeconds,
			MaxRetries:          domain.DefaultMaxRetries,
			QueueTimeoutSeconds: domain.DefaultQueueTimeoutSeconds,
		},
		Protocol: domain.ProtocolSpec{
			Review: domain.ReviewNone, Rounds: 1,
			Temperature: domain.DefaultTemperature, MaxTokens: domain.DefaultMaxTokens,
		},
	}
	r := &reading{}
	if len(text) == 0 {
		r.Add("request", "no input was given; it takes one JSON object")
		return spec, r
	}
	if fault := noJSON(text); fault != "" {
		r.Add("request", "is not JSON: %s", fault)
		return spec, r
	}
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber() // any number that JSON has; the fields know their own
	_ = r.repeated("", tokens)
	var agents []json.RawMessage
	r.object("", text,
		field{"task_id", r.text(&spec.TaskID)},
		field{"task_description", r.text(&spec.TaskDescription)},
		field{"role", r.text(&spec.Role)},
		field{"constraints", r.constraints(&spec.Constraints)},
		field{"agents", r.list(func(_ string, raw json.RawMessage) { agents = append(agents, raw) })},
		field{"vllm_url", r.text(&spec.VLLMURL)},
		field{"vllm_model", r.text(&spec.VLLMModel)},
		field{"protocol", r.protocol(&spec.Protocol)},
	)
	for i, raw := range agents {
		r.agent(fmt.Sprintf("agents[%d]", i), raw, &spec)
	}
	return spec, r
}

func (r *reading) constraints(spec *domain.ConstraintsSpec) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		r.object(path, raw,
			field{"story_id", r.text(&spec.StoryID)},
			field{"plan_id", r.text(&spec.PlanID)},
			field{"timeout_seconds", r.integer(&spec.TimeoutSeconds)},
			field{"max_retries", r.integer(&spec.MaxRetries)},
			field{"queue_timeout_seconds", r.integer(&spec.QueueTimeoutSeconds)},
			field{"metadata", r.texts(&spec.Metadata)},
		)
	}
}

func (r *reading) protocol(spec *domain.ProtocolSpec) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		r.object(path, raw,
			field{"review", r.text(&spec.Review)},
			field{"rounds", r.integer(&spec.Rounds)},
			field{"quorum", r.integer(&spec.Quorum)},
			field{"temperature", r.number(&spec.Temperature)},
			field{"max_tokens", r.integer(&spec.MaxTokens)},
		)
	}
}

// agent is read last: its role and model default to those of the request.
func (r *reading) agent(path string, raw json.RawMessage, spec *domain.RequestSpec) {
	agent := domain.AgentSpec{Role: spec.Role, Model: spec.VLLMModel}
	named := false
	own := func(target *string) func(string, json.RawMessage) {
		return func(path string, raw json.RawMessage) {
			r.derived = slices.DeleteFunc(r.derived, func(derived string) bool { return derived == path })
			r.text(target)(path, raw)
		}
	}
	r.derived = append(r.derived, path+".role", path+".model")
	r.object(path, raw,
		field{"agent_id", func(path string, raw json.RawMessage) {
			named = true
			r.text(&agent.AgentID)(path, raw)
		}},
		field{"id", func(path string, raw json.RawMessage) {
			if named {
				r.Add(path, "give agent_id or id, not both")
				return
			}
			r.text(&agent.AgentID)(path, raw)
		}},
		field{"role", own(&agent.Role)},
		field{"model", own(&agent.Model)},
		field{"prompt_template", func(path string, raw json.RawMessage) {
			r.text(&agent.PromptTemplate)(path, raw)
			if kindOf(raw) == "a string" && strings.TrimSpace(agent.PromptTemplate) == "" {
				r.Add(path, "cannot be empty; leave it out for the persona of the role")
			}
		}},
	)
	spec.Agents = append(spec.Agents, agent)
}
