package contract

import (
	"encoding/json"

	"deliberation.io/deliberation/domain"
)

// Request is the input of the workflow Deliberation. Fields that are left out get their defaults; the
// pointers tell 0 from absent.
type Request struct {
	TaskID          string      `json:"task_id"`
	TaskDescription string      `json:"task_description"`
	Role            string      `json:"role"`
	Constraints     Constraints `json:"constraints"`
	Agents          []Agent     `json:"agents"`
	VLLMURL         string      `json:"vllm_url"`
	VLLMModel       string      `json:"vllm_model"`
	Protocol        *Protocol   `json:"protocol,omitempty"`

	// text is the request as it came. Decoding keeps it and never fails: what is wrong with a request
	// is said once, by Opening, and never again by a replay.
	text json.RawMessage
}

// Constraints bound a deliberation.
type Constraints struct {
	StoryID             string            `json:"story_id"`
	PlanID              string            `json:"plan_id"`
	TimeoutSeconds      *int              `json:"timeout_seconds,omitempty"`       // 300
	MaxRetries          *int              `json:"max_retries,omitempty"`           // 3
	QueueTimeoutSeconds *int              `json:"queue_timeout_seconds,omitempty"` // 3600
	Metadata            map[string]string `json:"metadata,omitempty"`
}

// Agent is one member of the council. Role and Model are those of the request when left out.
type Agent struct {
	AgentID        string `json:"agent_id"`
	Role           string `json:"role,omitempty"`
	Model          string `json:"model,omitempty"`
	PromptTemplate string `json:"prompt_template,omitempty"`
}

// Protocol is how the council works.
type Protocol struct {
	Review      string   `json:"review,omitempty"`      // none
	Rounds      *int     `json:"rounds,omitempty"`      // 1
	Quorum      *int     `json:"quorum,omitempty"`      // 0: one proposal is enough
	Temperature *float64 `json:"temperature,omitempty"` // 0.7
	MaxTokens   *int     `json:"max_tokens,omitempty"`  // 2048
}

// RequestText is a request as a person wrote it; nothing is filled in or checked.
func RequestText(text []byte) Request { return Request{text: append(json.RawMessage(nil), text...)} }

// UnmarshalJSON keeps the text and never fails.
func (r *Request) UnmarshalJSON(text []byte) error {
	*r = RequestText(text)
	return nil
}

// MarshalJSON writes the text as it came, or the fields of a request made in Go.
func (r Request) MarshalJSON() ([]byte, error) {
	if r.text != nil {
		return r.text, nil
	}
	type fields Request
	if r.Agents == nil {
		r.Agents = []Agent{} // a list without agents, not something else than a list
	}
	return json.Marshal(fields(r))
}

// Normalise is the request with every default filled in. The error is [domain.Faults] and names all
// that is wrong.
func (r Request) Normalise() (NormalisedRequest, error) {
	normalised, faults := r.read()
	if err := faults.OrNil(); err != nil {
		return NormalisedRequest{}, err
	}
	return normalised, nil
}

// NormaliseFor is Normalise for a worker that may use only these model servers.
func (r Request) NormaliseFor(allow domain.AllowList) (NormalisedRequest, error) {
	normalised, faults := r.read()
	if fault := allow.Check(normalised.spec.VLLMURL); fault != "" && !faults.at("vllm_url") {
		faults.Add("vllm_url", "%s", fault)
	}
	if err := faults.OrNil(); err != nil {
		return NormalisedRequest{}, err
	}
	return normalised, nil
}

// read is Normalise, whose faults may still grow.
func (r Request) read() (NormalisedRequest, *reading) {
	spec, faults := readRequest(r.received())
	normalised := NormalisedRequest{spec}
	if _, err := domain.NewDeliberationRequest(spec); err != nil {
		faults.without(err)
	}
	if text, err := json.Marshal(normalised); err == nil && len(text) > domain.MaxRequest {
		faults.Add("request", "must be at most %d bytes in JSON, got %d", domain.MaxRequest, len(text))
	}
	return normalised, faults
}

func (r Request) received() []byte {
	if r.text != nil || r.IsZero() {
		return r.text
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	return text
}

// IsZero tells the input that wasn't given.
func (r Request) IsZero() bool {
	c := r.Constraints
	return r.text == nil && r.TaskID == "" && r.TaskDescription == "" && r.Role == "" && r.Agents == nil &&
		r.VLLMURL == "" && r.VLLMModel == "" && r.Protocol == nil && c.StoryID == "" && c.PlanID == "" &&
		c.TimeoutSeconds == nil && c.MaxRetries == nil && c.QueueTimeoutSeconds == nil && c.Metadata == nil
}
