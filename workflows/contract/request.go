package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
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
	Proposals       []Proposal  `json:"proposals,omitempty"` // if given, the council judges these instead of making its own

	received *received // if set, the fields above are empty
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

// Proposal is a proposal that exists already. Author is the id of an agent of the council, or any other name.
type Proposal struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Author string `json:"author,omitempty"`
}

// Protocol says how the council works.
type Protocol struct {
	Mode        string             `json:"mode,omitempty"`             // rank, vote or synthesize; rank
	ChairModel  string             `json:"chair_model,omitempty"`      // with mode: synthesize; the first agent's model
	ChairURL    string             `json:"chair_url,omitempty"`        // vllm_url
	Review      string             `json:"review,omitempty"`           // none, peer or judge; none
	JudgeModel  string             `json:"judge_model,omitempty"`      // with review: judge
	JudgeURL    string             `json:"judge_url,omitempty"`        // vllm_url
	Rubric      map[string]float64 `json:"rubric,omitempty"`           // weights by criterion
	Patience    *int               `json:"patience_seconds,omitempty"` // how long to wait for the slow turns of a phase
	Rounds      *int               `json:"rounds,omitempty"`           // 1: revisions at most
	Quorum      *int               `json:"quorum,omitempty"`           // 0: one proposal is enough
	Temperature *float64           `json:"temperature,omitempty"`      // 0.7
	MaxTokens   *int               `json:"max_tokens,omitempty"`       // 2048
	MaxCalls    *int               `json:"max_llm_calls,omitempty"`    // no bound
	TotalTokens *int               `json:"max_total_tokens,omitempty"` // no bound

	// ExtraBody is passed on to the model server unchanged, for example {"top_p": 0.9}.
	ExtraBody map[string]any `json:"extra_body,omitempty"`
}

// received is a request as it came. Nothing is checked before [Request.Parse].
type received struct {
	text     []byte
	encoding string // of a payload that isn't JSON
	several  bool   // there was more than one payload
}

// RequestText is a request as a person wrote it.
func RequestText(text []byte) Request { return Request{received: &received{text: text}} }

// Input is the workflow's argument before any decoding, so that the Opening names all faults of a request. The SDK
// would fail at the first one.
type Input = converter.RawValue

// Received is the request that a workflow was started with. Clients of other languages may send JSON as bytes, or
// without its encoding.
func Received(payloads ...*commonpb.Payload) Request {
	payloads = slices.DeleteFunc(slices.Clone(payloads), func(p *commonpb.Payload) bool {
		return p == nil || encodingOf(p) == converter.MetadataEncodingNil
	})
	switch len(payloads) {
	case 0:
		return RequestText(nil)
	case 1:
		return receivedOne(payloads[0])
	}
	return Request{received: &received{several: true}}
}

func receivedOne(payload *commonpb.Payload) Request {
	switch encoding := encodingOf(payload); encoding {
	case converter.MetadataEncodingJSON, converter.MetadataEncodingBinary, "":
		return RequestText(payload.GetData())
	default:
		return Request{received: &received{encoding: encoding}}
	}
}

func encodingOf(payload *commonpb.Payload) string {
	return string(payload.GetMetadata()[converter.MetadataEncoding])
}

// MarshalJSON writes the text as it came, or the fields of a request made in Go.
func (r Request) MarshalJSON() ([]byte, error) {
	if r.received != nil {
		return json.Marshal(json.RawMessage(r.received.text))
	}
	type fields Request
	if r.Agents == nil {
		r.Agents = []Agent{} // a list without agents, rather than null
	}
	return json.Marshal(fields(r))
}

// asReceived returns the request as text. It encodes a request that was made in Go.
func (r Request) asReceived() (received, error) {
	switch {
	case r.received != nil:
		return *r.received, nil
	case reflect.ValueOf(r).IsZero():
		return received{}, nil
	}
	text, err := json.Marshal(r)
	return received{text: text}, err
}

// History reads a run's events; a Temporal client does.
type History interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Recorded returns the request that a run was started with. It reads the first event, so it needs no worker.
func Recorded(ctx context.Context, from History, id, runID string) (Request, error) {
	started, err := ReadStart(ctx, from, id, runID)
	if err != nil {
		return Request{}, err
	}
	return StartedWith(started), nil
}

// StartedWith returns the request in the first event of a run.
func StartedWith(started *historypb.WorkflowExecutionStartedEventAttributes) Request {
	return Received(started.GetInput().GetPayloads()...)
}

// ReadStart reads the first event of a run.
func ReadStart(ctx context.Context, from History, id, runID string) (*historypb.WorkflowExecutionStartedEventAttributes, error) {
	events := from.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil, fmt.Errorf("%s has no history", id)
	}
	first, err := events.Next()
	if err != nil {
		return nil, err
	}
	return first.GetWorkflowExecutionStartedEventAttributes(), nil
}
