package contract

import (
	"encoding/json"

	"deliberation.io/deliberation/domain"
)

// NormalisedRequest is a checked request with every default filled in, as histories record it.
type NormalisedRequest struct {
	TaskID          string                `json:"task_id"`
	TaskDescription string                `json:"task_description"`
	Role            string                `json:"role"`
	Constraints     NormalisedConstraints `json:"constraints"`
	Agents          []Agent               `json:"agents"`
	VLLMURL         string                `json:"vllm_url"`
	VLLMModel       string                `json:"vllm_model"`
	Protocol        NormalisedProtocol    `json:"protocol"`
	Proposals       []Proposal            `json:"proposals,omitempty"`
}

// NormalisedConstraints are [Constraints] with every default filled in.
type NormalisedConstraints struct {
	StoryID             string            `json:"story_id"`
	PlanID              string            `json:"plan_id"`
	TimeoutSeconds      int               `json:"timeout_seconds"`
	MaxRetries          int               `json:"max_retries"`
	QueueTimeoutSeconds int               `json:"queue_timeout_seconds"`
	Metadata            map[string]string `json:"metadata,omitempty"`
}

// NormalisedProtocol is a [Protocol] with every default filled in.
type NormalisedProtocol struct {
	Mode        string                     `json:"mode,omitempty"`
	ChairModel  string                     `json:"chair_model,omitempty"`
	ChairURL    string                     `json:"chair_url,omitempty"`
	Review      string                     `json:"review"`
	JudgeModel  string                     `json:"judge_model,omitempty"`
	JudgeURL    string                     `json:"judge_url,omitempty"`
	Rubric      map[string]float64         `json:"rubric,omitempty"`
	Patience    int                        `json:"patience_seconds,omitempty"`
	Rounds      int                        `json:"rounds"`
	Quorum      int                        `json:"quorum"`
	Temperature float64                    `json:"temperature"`
	MaxTokens   int                        `json:"max_tokens"`
	MaxCalls    int                        `json:"max_llm_calls,omitempty"`
	TotalTokens int                        `json:"max_total_tokens,omitempty"`
	ExtraBody   map[string]json.RawMessage `json:"extra_body,omitempty"`
}

// defaults are the values of fields that a request leaves out. An agent's role and model are those of the
// request.
func defaults() NormalisedRequest {
	return NormalisedRequest{
		Constraints: NormalisedConstraints{
			TimeoutSeconds:      domain.DefaultTimeoutSeconds,
			MaxRetries:          domain.DefaultMaxRetries,
			QueueTimeoutSeconds: domain.DefaultQueueTimeoutSeconds,
		},
		Agents: []Agent{},
		Protocol: NormalisedProtocol{
			Mode: domain.ModeRank, Review: domain.ReviewNone, Rounds: 1,
			Temperature: domain.DefaultTemperature, MaxTokens: domain.DefaultMaxTokens,
		},
	}
}

// Domain maps the request to the domain. It checks nothing, since the request was checked before it was recorded.
func (r NormalisedRequest) Domain() domain.DeliberationRequest {
	return domain.RestoreRequest(r.spec())
}

func (r NormalisedRequest) spec() domain.RequestSpec {
	var extra map[string]string
	if len(r.Protocol.ExtraBody) > 0 {
		extra = make(map[string]string, len(r.Protocol.ExtraBody))
		//workflowcheck:ignore // it copies a map, so the order doesn't matter
		for name, value := range r.Protocol.ExtraBody {
			extra[name] = string(value)
		}
	}
	var given []domain.GivenSpec
	if r.Proposals != nil {
		given = domain.Each(r.Proposals, func(proposal Proposal) domain.GivenSpec { return domain.GivenSpec(proposal) })
	}
	p := r.Protocol
	return domain.RequestSpec{
		Given:  given,
		TaskID: r.TaskID, TaskDescription: r.TaskDescription, Role: r.Role,
		Constraints: domain.ConstraintsSpec(r.Constraints),
		Agents:      domain.Each(r.Agents, func(agent Agent) domain.AgentSpec { return domain.AgentSpec(agent) }),
		VLLMURL:     r.VLLMURL, VLLMModel: r.VLLMModel,
		Protocol: domain.ProtocolSpec{
			Mode: p.Mode, ChairModel: p.ChairModel, ChairURL: p.ChairURL,
			Review: p.Review, JudgeModel: p.JudgeModel, JudgeURL: p.JudgeURL, Rubric: p.Rubric, Patience: p.Patience, Rounds: p.Rounds, Quorum: p.Quorum, Temperature: p.Temperature, MaxTokens: p.MaxTokens,
			Budget: domain.Budget{Calls: p.MaxCalls, Tokens: p.TotalTokens}, ExtraBody: extra,
		},
	}
}
