package raytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
)

type submitRequest struct {
	Owner        string            `json:"owner"`
	Deliberation string            `json:"deliberation"`
	Labels       map[string]string `json:"labels"`
	Common       map[string]string `json:"common"`
	Turns        []turnRequest     `json:"turns"`
}

type turnRequest struct {
	ID       domain.TurnID `json:"submission_id"`
	AgentID  string        `json:"agent_id"`
	Phase    string        `json:"phase"`
	Round    int           `json:"round"`
	Attempt  int           `json:"attempt"`
	VLLMURL  string        `json:"vllm_url"`
	Model    string        `json:"model"`
	Messages []struct {
		Role  string `json:"role"`
		Parts []part `json:"parts"`
	} `json:"messages"`
	Parameters  map[string]json.RawMessage `json:"parameters"`
	RunSeconds  float64                    `json:"run_seconds"`
	KeepSeconds float64                    `json:"keep_seconds"`
}

type part struct {
	Ref  *string `json:"ref"`
	Text *string `json:"text"`
}

// awaitRequest names turns of one runner.
type awaitRequest struct {
	Owner       string          `json:"owner"`
	Runner      string          `json:"runner"`
	Incarnation string          `json:"incarnation"`
	Turns       []domain.TurnID `json:"turns"`
	WaitSeconds float64         `json:"wait_seconds"`
	TextSeconds float64         `json:"text_seconds"`
}

type endRequest struct {
	Owner  string   `json:"owner"`
	Reason string   `json:"reason"`
	Turns  []handle `json:"turns"`
}

type handle struct {
	ID           domain.TurnID `json:"submission_id"`
	Deliberation string        `json:"deliberation"`
	Runner       string        `json:"runner"`
	Incarnation  string        `json:"incarnation"`
}

// The bounds of the real app (deliberation_ray/wire.py).
const (
	maxBody     = 8 << 20
	maxTurns    = 256
	maxHandles  = 1024
	maxParts    = 256
	maxName     = 1000
	maxSeconds  = 7 * 86_400
	longestWait = 30
	maxAnswers  = 8 << 20 // bytes of all answers' texts in one response, as JSON
)

var (
	validID         = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)
	validRunner     = regexp.MustCompile(`^(runner/[0-9a-f]{1,64}/[0-9]{1,4})?$`)
	validParameters = []string{"temperature", "max_tokens", "seed", "top_p", "stop", "response_format", "extra_body"}
)

func (r submitRequest) check() error {
	if err := errors.Join(name("owner", r.Owner), name("deliberation", r.Deliberation)); err != nil {
		return err
	}
	if len(r.Turns) == 0 || len(r.Turns) > maxTurns {
		return fmt.Errorf("turns: must be 1..%d", maxTurns)
	}
	ids := map[domain.TurnID]bool{}
	for i, turn := range r.Turns {
		if err := turn.check(r.Common); err != nil {
			return fmt.Errorf("turns[%d].%w", i, err)
		}
		if ids[turn.ID] {
			return errors.New("turns: a submission_id occurs twice")
		}
		ids[turn.ID] = true
	}
	return nil
}

func name(field, value string) error {
	if value == "" || len(value) > maxName {
		return fmt.Errorf("%s: must have 1..%d characters", field, maxName)
	}
	return nil
}

func (r turnRequest) check(common map[string]string) error {
	address, err := url.Parse(r.VLLMURL)
	switch {
	case !validID.MatchString(string(r.ID)):
		return errors.New("submission_id: malformed")
	case err != nil || address.Hostname() == "" || (address.Scheme != "http" && address.Scheme != "https"):
		return errors.New("vllm_url: must be an absolute http or https URL")
	case address.User != nil || address.RawQuery != "" || address.Fragment != "":
		return errors.New("vllm_url: must not carry user information, a query or a fragment")
	case r.RunSeconds <= 0 || r.RunSeconds > maxSeconds:
		return errors.New("run_seconds: out of range")
	case r.KeepSeconds < 0 || r.KeepSeconds > maxSeconds:
		return errors.New("keep_seconds: out of range")
	case len(r.Messages) == 0:
		return errors.New("messages: too few")
	}
	for parameter := range r.Parameters {
		if !slices.Contains(validParameters, parameter) {
			return fmt.Errorf("parameters.%s: not permitted", parameter)
		}
	}
	return errors.Join(name("model", r.Model), r.checkParts(common))
}

func (r turnRequest) checkParts(common map[string]string) error {
	for _, message := range r.Messages {
		if len(message.Parts) == 0 || len(message.Parts) > maxParts {
			return fmt.Errorf("messages: must have 1..%d parts", maxParts)
		}
		for _, part := range message.Parts {
			if (part.Text == nil) == (part.Ref == nil) {
				return errors.New("messages: exactly one of text and ref")
			}
			if part.Ref == nil {
				continue
			}
			if _, known := common[*part.Ref]; !known {
				return fmt.Errorf("messages: unknown ref %q", *part.Ref)
			}
		}
	}
	return nil
}

func (r turnRequest) prompt(common map[string]string) string {
	var text strings.Builder
	for _, message := range r.Messages {
		for _, part := range message.Parts {
			if part.Ref != nil {
				text.WriteString(common[*part.Ref])
			} else {
				text.WriteString(*part.Text)
			}
		}
	}
	return text.String()
}

func (r awaitRequest) check() error {
	if r.Runner == "" {
		return errors.New("runner: cannot be empty")
	}
	return checkHandles(r.handles())
}

func (r awaitRequest) handles() []handle {
	handles := make([]handle, 0, len(r.Turns))
	for _, id := range r.Turns {
		handles = append(handles, handle{ID: id, Runner: r.Runner, Incarnation: r.Incarnation})
	}
	return handles
}

func (r endRequest) check() error {
	for i, handle := range r.Turns {
		if handle.Runner == "" && handle.Deliberation == "" {
			return fmt.Errorf("turns[%d].runner: empty, and the turn names no deliberation", i)
		}
	}
	return errors.Join(name("owner", r.Owner), checkHandles(r.Turns))
}

func checkHandles(handles []handle) error {
	if len(handles) == 0 || len(handles) > maxHandles {
		return fmt.Errorf("turns: must be 1..%d", maxHandles)
	}
	for i, handle := range handles {
		if !validID.MatchString(string(handle.ID)) || !validRunner.MatchString(handle.Runner) {
			return fmt.Errorf("turns[%d]: malformed", i)
		}
	}
	return nil
}
