package contract

import (
	"encoding/json"

	"deliberation.io/deliberation/domain"
)

// NormalisedRequest is a checked request with every default filled in, as histories record it.
type NormalisedRequest struct{ spec domain.RequestSpec }

// Domain is the request as the domain knows it. Nothing is checked again.
func (r NormalisedRequest) Domain() domain.DeliberationRequest { return domain.RestoreRequest(r.spec) }

// MarshalJSON writes every field, defaults included.
func (r NormalisedRequest) MarshalJSON() ([]byte, error) {
	type fields Request
	c, p := r.spec.Constraints, r.spec.Protocol
	agents := make([]Agent, 0, len(r.spec.Agents))
	for _, agent := range r.spec.Agents {
		agents = append(agents, Agent(agent))
	}
	return json.Marshal(fields(Request{
		TaskID: r.spec.TaskID, TaskDescription: r.spec.TaskDescription, Role: r.spec.Role,
		Constraints: Constraints{
			StoryID: c.StoryID, PlanID: c.PlanID, TimeoutSeconds: &c.TimeoutSeconds,
			MaxRetries: &c.MaxRetries, QueueTimeoutSeconds: &c.QueueTimeoutSeconds, Metadata: c.Metadata,
		},
		Agents: agents, VLLMURL: r.spec.VLLMURL, VLLMModel: r.spec.VLLMModel,
		Protocol: &Protocol{
			Review: p.Review, Rounds: &p.Rounds, Quorum: &p.Quorum, Temperature: &p.Temperature, MaxTokens: &p.MaxTokens,
		},
	}))
}

// UnmarshalJSON reads what MarshalJSON wrote, and checks nothing: unknown fields are those of a newer
// version, absent ones of an older.
func (r *NormalisedRequest) UnmarshalJSON(text []byte) error {
	type fields Request
	var in fields
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	protocol := Protocol{Review: domain.ReviewNone}
	if in.Protocol != nil {
		protocol = *in.Protocol
	}
	agents := make([]domain.AgentSpec, 0, len(in.Agents))
	for _, agent := range in.Agents {
		agents = append(agents, domain.AgentSpec(agent))
	}
	c := in.Constraints
	r.spec = domain.RequestSpec{
		TaskID: in.TaskID, TaskDescription: in.TaskDescription, Role: in.Role,
		Constraints: domain.ConstraintsSpec{
			StoryID: c.StoryID, PlanID: c.PlanID, Metadata: c.Metadata,
			TimeoutSeconds:      or(c.TimeoutSeconds, domain.DefaultTimeoutSeconds),
			MaxRetries:          or(c.MaxRetries, domain.DefaultMaxRetries),
			QueueTimeoutSeconds: or(c.QueueTimeoutSeconds, domain.DefaultQueueTimeoutSeconds),
		},
		Agents: agents, VLLMURL: in.VLLMURL, VLLMModel: in.VLLMModel,
		Protocol: domain.ProtocolSpec{
			Review: protocol.Review, Rounds: or(protocol.Rounds, 1), Quorum: or(protocol.Quorum, 0),
			Temperature: or(protocol.Temperature, domain.DefaultTemperature),
			MaxTokens:   or(protocol.MaxTokens, domain.DefaultMaxTokens),
		},
	}
	return nil
}

func or[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
