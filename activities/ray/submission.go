package ray

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"deliberation.io/deliberation/domain"
)

// responseFormat asks for the object that the task's text describes. It is flat and without bounds:
// servers differ in what they take of a schema, and [domain.ReadAnswer] reads leniently anyway.
const responseFormat = `{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object",` +
	`"properties":{"proposal":{"type":"string"},"reasoning":{"type":"string"},"score":{"type":"number"}},` +
	`"required":["proposal","reasoning","score"],"additionalProperties":false}}}`

type submitBody struct {
	Owner        string            `json:"owner"`
	Deliberation string            `json:"deliberation"`
	Labels       map[string]string `json:"labels"`
	Common       map[string]string `json:"common"`
	Turns        []turnBody        `json:"turns"`
}

type turnBody struct {
	ID          domain.TurnID  `json:"submission_id"`
	AgentID     string         `json:"agent_id"`
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

// partBody is one of both, and an empty text is a text.
type partBody struct {
	Ref  *string `json:"ref,omitempty"`
	Text *string `json:"text,omitempty"`
}

type parametersBody struct {
	Temperature    float64         `json:"temperature"`
	MaxTokens      int             `json:"max_tokens"`
	ResponseFormat json.RawMessage `json:"response_format"`
	// ExtraBody is the request's own, for the model server.
	ExtraBody map[string]json.RawMessage `json:"extra_body,omitempty"`
}

// submitBodyOf leaves the answer's maximum out: the runner bounds the raw answer by itself, and what is
// kept of it is cut by [domain.OutcomeOf], after reading.
func submitBodyOf(submission domain.Submission) submitBody {
	request := submission.Request
	body := submitBody{
		Owner: submission.Owner, Deliberation: submission.Deliberation,
		Labels: map[string]string{"task_id": request.TaskID(), "role": request.Role(), LabelRun: submission.OriginalRun},
		Common: request.CommonTexts(),
		Turns:  make([]turnBody, 0, len(submission.Turns)),
	}
	parameters := parametersBody{
		Temperature: request.Protocol().Temperature(), MaxTokens: request.Protocol().MaxTokens(),
		ResponseFormat: json.RawMessage(responseFormat), ExtraBody: extraBodyOf(request.Protocol()),
	}
	for _, turn := range submission.Turns {
		agent := turn.Agent()
		body.Turns = append(body.Turns, turnBody{
			ID: turn.ID(), AgentID: agent.ID(), VLLMURL: request.VLLMURL(), Model: agent.Model(),
			Messages:   []messageBody{{Role: "user", Parts: partBodiesOf(request.Prompt(turn))}},
			Parameters: parameters,
			RunSeconds: wholeSeconds(submission.Run), KeepSeconds: wholeSeconds(submission.Keep),
		})
	}
	return body
}

func extraBodyOf(protocol domain.Protocol) map[string]json.RawMessage {
	body := map[string]json.RawMessage{}
	for name, value := range protocol.ExtraBody() {
		body[name] = json.RawMessage(value)
	}
	return body
}

// partBodiesOf joins texts that follow one another: the app takes 256 parts a message, and each
// placeholder of a template is a part of its own.
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

// wholeSeconds rounds up: a turn never gets less time than it was given.
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

// acceptance is in the turns' order; an error when the answer doesn't speak of each turn.
func (a acceptanceAnswer) acceptance(cluster string, turns []domain.Turn) (domain.Acceptance, error) {
	if a.Runner == "" || a.Incarnation == "" {
		return domain.Acceptance{}, errors.New("answered 200 that names no runner")
	}
	statuses := make(map[domain.TurnID]string, len(a.Turns))
	for _, turn := range a.Turns {
		statuses[turn.ID] = turn.Status
	}
	var acceptance domain.Acceptance
	for _, turn := range turns {
		switch status := statuses[turn.ID()]; status {
		case "accepted", "attached":
			acceptance.Handles = append(acceptance.Handles, domain.Handle{
				TurnID: turn.ID(), Cluster: cluster, Runner: a.Runner, Incarnation: a.Incarnation,
			})
		case "cancelled":
			acceptance.Cancelled = append(acceptance.Cancelled, turn.ID())
		default:
			return domain.Acceptance{}, fmt.Errorf("answered 200 with status %s of turn %s", domain.Quote(status), turn.ID())
		}
	}
	return acceptance, nil
}
