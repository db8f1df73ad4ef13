package ray

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"deliberation.io/deliberation/domain"
)

type submitBody struct {
	Owner        string            `json:"owner"`
	Deliberation string            `json:"deliberation"`
	Labels       map[string]string `json:"labels"`
	Common       map[string]string `json:"common"`
	Turns        []turnBody        `json:"turns"`
	Repeated     bool              `json:"repeated,omitempty"`
}

type turnBody struct {
	ID          domain.TurnID  `json:"submission_id"`
	AgentID     string         `json:"agent_id"`
	Phase       string         `json:"phase"`
	Round       int            `json:"round"`
	Attempt     int            `json:"attempt"`
	VLLMURL     string         `json:"vllm_url"`
	Model       string         `json:"model"`
	Messages    []messageBody  `json:"messages"`
	Parameters  parametersBody `json:"parameters"`
	RunSeconds  int64          `json:"run_seconds"`
	KeepSeconds int64          `json:"keep_seconds"`
}

type messageBody struct {
	Role  string     `json:"role"`
	Parts []partBody `json:"parts"`
}

// partBody has either a text, which may be empty, or a reference.
type partBody struct {
	Ref  *string `json:"ref,omitempty"`
	Text *string `json:"text,omitempty"`
}

type parametersBody struct {
	Temperature    float64        `json:"temperature"`
	MaxTokens      int            `json:"max_tokens"`
	ResponseFormat responseFormat `json:"response_format"`
	// ExtraBody is passed on to the model server.
	ExtraBody map[string]json.RawMessage `json:"extra_body,omitempty"`
}

type responseFormat struct {
	Type   string     `json:"type"`
	Schema schemaBody `json:"json_schema"`
}

type schemaBody struct {
	Name   string          `json:"name"`
	Strict bool            `json:"strict"`
	Schema json.RawMessage `json:"schema"`
}

// submitBodyOf doesn't send the maximum of an answer: the runner itself bounds the raw answer, and [domain.OutcomeOf]
// cuts it after reading.
func submitBodyOf(submission domain.Submission) submitBody {
	body := submitBody{
		Owner: submission.Owner, Deliberation: submission.Deliberation,
		Labels: map[string]string{"task_id": submission.TaskID, "role": submission.Role, LabelRun: submission.OriginalRun},
		Common: submission.Common,
		Turns:  make([]turnBody, 0, len(submission.Asks)), Repeated: submission.Repeated,
	}
	for _, ask := range submission.Asks {
		body.Turns = append(body.Turns, turnBody{
			ID: ask.TurnID, AgentID: ask.AgentID, VLLMURL: ask.URL, Model: ask.Model,
			Phase: string(ask.Phase.Kind), Round: ask.Phase.Round, Attempt: ask.Attempt,
			Messages: []messageBody{{Role: "user", Parts: partBodiesOf(ask.Prompt)}},
			Parameters: parametersBody{
				Temperature: ask.Temperature, MaxTokens: ask.MaxTokens, ResponseFormat: formatOf(ask.Form),
				ExtraBody: extraBodyOf(ask.ExtraBody),
			},
			RunSeconds: wholeSeconds(submission.Run), KeepSeconds: wholeSeconds(submission.Keep),
		})
	}
	return body
}

func extraBodyOf(extra map[string]string) map[string]json.RawMessage {
	body := make(map[string]json.RawMessage, len(extra))
	for name, value := range extra {
		body[name] = json.RawMessage(value)
	}
	return body
}

func formatOf(form domain.AnswerForm) responseFormat {
	return responseFormat{Type: "json_schema", Schema: schemaBody{Name: form.Name, Strict: true, Schema: json.RawMessage(form.Schema)}}
}

// partBodiesOf joins adjacent texts: the app takes 256 parts per message, and each placeholder of a template is a part.
func partBodiesOf(parts []domain.PromptPart) []partBody {
	var bodies []partBody
	for _, part := range parts {
		if part.Ref != "" {
			bodies = append(bodies, partBody{Ref: &part.Ref})
			continue
		}
		if last := len(bodies) - 1; last >= 0 && bodies[last].Text != nil {
			joined := *bodies[last].Text + part.Text
			bodies[last].Text = &joined
			continue
		}
		bodies = append(bodies, partBody{Text: &part.Text})
	}
	return bodies
}

// wholeSeconds rounds up, so that a turn never gets less time than intended.
func wholeSeconds(d time.Duration) int64 {
	return int64((max(0, d) + time.Second - 1) / time.Second)
}

type acceptanceAnswer struct {
	Runner      string `json:"runner"`
	Incarnation string `json:"incarnation"`
	Turns       []struct {
		ID     domain.TurnID `json:"submission_id"`
		Status string        `json:"status"`
	} `json:"turns"`
}

// acceptance returns the handles in the order of the asks. The error names a turn that the answer leaves out.
func (a acceptanceAnswer) acceptance(cluster string, asks []domain.Ask) (domain.Acceptance, error) {
	if a.Runner == "" || a.Incarnation == "" {
		return domain.Acceptance{}, errors.New("answered 200 that names no runner")
	}
	statuses := make(map[domain.TurnID]string, len(a.Turns))
	for _, turn := range a.Turns {
		statuses[turn.ID] = turn.Status
	}
	var acceptance domain.Acceptance
	for _, ask := range asks {
		switch status := statuses[ask.TurnID]; status {
		case "accepted", "attached":
			acceptance.Handles = append(acceptance.Handles, domain.Handle{
				TurnID: ask.TurnID, Cluster: cluster, Runner: a.Runner, Incarnation: a.Incarnation,
			})
		case "cancelled":
			acceptance.Cancelled = append(acceptance.Cancelled, ask.TurnID)
		default:
			return domain.Acceptance{}, fmt.Errorf("answered 200 with status %s of turn %s", domain.Quote(status), ask.TurnID)
		}
	}
	return acceptance, nil
}
