package ray

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// awaitBody names turns of one runner.
type awaitBody struct {
	Owner       string          `json:"owner,omitempty"`
	Runner      string          `json:"runner"`
	Incarnation string          `json:"incarnation"`
	Turns       []domain.TurnID `json:"turns"`
	WaitSeconds float64         `json:"wait_seconds"`
	TextSeconds float64         `json:"text_seconds,omitempty"`
}

func (c *Client) awaitBody(handles []domain.Handle, wait time.Duration) awaitBody {
	body := awaitBody{
		Owner: c.owner, Runner: handles[0].Runner, Incarnation: handles[0].Incarnation, WaitSeconds: wait.Seconds(),
		Turns: domain.Each(handles, func(handle domain.Handle) domain.TurnID { return handle.TurnID }),
	}
	if c.heard != nil {
		body.TextSeconds = textEvery.Seconds()
	}
	return body
}

type statesAnswer struct {
	Turns []stateAnswer `json:"turns"`
}

// stateAnswer has a pointer wherever absent and empty differ: an empty incarnation means that the runner is gone, and
// an absent one that the answer isn't the app's.
type stateAnswer struct {
	ID          domain.TurnID   `json:"submission_id"`
	State       domain.RayState `json:"state"`
	Incarnation *string         `json:"incarnation"`
	Progress    struct {
		Tokens int `json:"tokens"`
	} `json:"progress"`
	Waiting *waitingAnswer `json:"waiting"`
	Result  *resultAnswer  `json:"result"`
	Error   *failureAnswer `json:"error"`

	unreadable error
}

// UnmarshalJSON decodes a turn. If a turn can't be read, the other turns of the same answer still can.
func (s *stateAnswer) UnmarshalJSON(text []byte) error {
	type fields stateAnswer
	err := json.Unmarshal(text, (*fields)(s)) // after an error, all readable fields are set, the turn's id too
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		s.unreadable, err = fmt.Errorf("answered 200 with a turn whose %s can't be read", mistyped.Field), nil
	}
	return err
}

type waitingAnswer struct {
	Reason  string    `json:"reason"`
	Status  int       `json:"status"`
	Since   time.Time `json:"since"`
	NextTry time.Time `json:"next_try"`
}

func (w *waitingAnswer) waiting() domain.Waiting {
	if w == nil {
		return domain.Waiting{}
	}
	return domain.Waiting{Reason: cutTo(w.Reason, maxRefusal), Status: w.Status, Since: w.Since, NextTry: w.NextTry}
}

type resultAnswer struct {
	Text           *string     `json:"text"`
	ReasoningText  string      `json:"reasoning_text"`
	FinishReason   string      `json:"finish_reason"`
	Model          string      `json:"model"`
	ResponseFormat string      `json:"response_format"`
	Usage          usageAnswer `json:"usage"`
	Calls          int         `json:"calls"`
	DurationMS     int64       `json:"duration_ms"`
	FirstTokenMS   int64       `json:"first_token_ms"`
}

type failureAnswer struct {
	Type      string      `json:"type"`
	Message   string      `json:"message"`
	Retryable bool        `json:"retryable"`
	Usage     usageAnswer `json:"usage"`
	Calls     int         `json:"calls"`
}

type usageAnswer struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
}

func (u usageAnswer) usage(calls int) domain.Usage {
	return domain.Usage{
		PromptTokens: max(0, u.PromptTokens), CompletionTokens: max(0, u.CompletionTokens), Calls: max(0, calls),
	}
}

// those returns the states of the handles' turns that the answer has.
func (a statesAnswer) those(handles []domain.Handle) []stateAnswer {
	asked := askedFor(handles)
	return slices.DeleteFunc(a.Turns, func(state stateAnswer) bool { return !asked[state.ID] })
}

func askedFor(handles []domain.Handle) map[domain.TurnID]bool {
	asked := make(map[domain.TurnID]bool, len(handles))
	for _, handle := range handles {
		asked[handle.TurnID] = true
	}
	return asked
}

// inOrder returns the state of each handle's turn, in order. It returns an error if one is missing.
func (a statesAnswer) inOrder(handles []domain.Handle) ([]stateAnswer, error) {
	byID := make(map[domain.TurnID]stateAnswer, len(a.Turns))
	for _, state := range a.Turns {
		byID[state.ID] = state
	}
	ordered := make([]stateAnswer, 0, len(handles))
	for _, handle := range handles {
		state, found := byID[handle.TurnID]
		if !found {
			return nil, fmt.Errorf("answered 200 without turn %s", handle.TurnID)
		}
		ordered = append(ordered, state)
	}
	return ordered, nil
}

// observation maps the state. It returns an error if the state is incomplete or contradicts itself.
func (s stateAnswer) observation() (domain.Observation, error) {
	if s.unreadable != nil {
		return domain.Observation{}, s.unreadable
	}
	if s.Incarnation == nil {
		return domain.Observation{}, errors.New("answered 200 with a turn of no incarnation")
	}
	seen := domain.Observation{
		TurnID: s.ID, State: s.State, Incarnation: *s.Incarnation,
		Waiting:  s.Waiting.waiting(),
		Progress: domain.Progress{Tokens: max(0, s.Progress.Tokens)},
	}
	switch s.State {
	case domain.RayQueued, domain.RayRunning, domain.RayUnknown:
		return seen, nil
	case domain.RayCompleted:
		if s.Result == nil || s.Result.Text == nil {
			return domain.Observation{}, errors.New("answered 200 with a completed turn without a result")
		}
		seen.Completion = s.Result.completion()
		seen.Usage = seen.Completion.Usage
		return seen, nil
	case domain.RayFailed, domain.RayCancelled:
		if s.Error == nil || s.Error.Type == "" {
			return domain.Observation{}, fmt.Errorf("answered 200 with a %s turn without a reason", s.State)
		}
		seen.Failure = domain.NewTurnFailure(domain.FailureKind(cut(s.Error.Type)), s.Error.Message, s.Error.Retryable)
		seen.Usage = s.Error.Usage.usage(s.Error.Calls)
		return seen, nil
	}
	return domain.Observation{}, fmt.Errorf("answered 200 with the unknown state %s", domain.Quote(string(s.State)))
}

func (r resultAnswer) completion() domain.Completion {
	return domain.Completion{
		Text: *r.Text, ReasoningText: r.ReasoningText, FinishReason: r.FinishReason, Model: r.Model, ResponseFormat: r.ResponseFormat,
		Usage: r.Usage.usage(r.Calls), Duration: milliseconds(r.DurationMS), FirstToken: milliseconds(r.FirstTokenMS),
	}
}

// milliseconds returns a duration. It bounds numbers that would overflow.
func milliseconds(n int64) time.Duration {
	const week = 7 * 24 * time.Hour
	return time.Duration(min(max(0, n), week.Milliseconds())) * time.Millisecond
}

const (
	// textEvery is how often text is asked for. Each time is one request for all turns on a runner, and a person
	// reads text that comes twice a second.
	textEvery = 500 * time.Millisecond
	// leastText is the shortest time between requests: an app that answers too early is not flooded.
	leastText = 100 * time.Millisecond
)

// awaitAnswer has turns, or only text.
type awaitAnswer struct {
	statesAnswer
	Texts json.RawMessage `json:"texts"` // decoded separately: unreadable text must not hide turns
}

// sayings returns the messages of the handles' turns.
func (a awaitAnswer) sayings(handles []domain.Handle) []contract.Saying {
	var said []contract.Saying
	if len(a.Texts) == 0 || json.Unmarshal(a.Texts, &said) != nil {
		return nil
	}
	asked := askedFor(handles)
	return slices.DeleteFunc(said, func(text contract.Saying) bool { return !asked[text.TurnID] })
}
