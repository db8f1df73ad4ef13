package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// words makes a request of a sentence and flags.
type words struct {
	role, taskID, url, model string
	agents                   int
	timeout, queueTimeout    seconds
	retries, quorum          int
}

// adhoc is the story and the plan of a request that comes from neither.
const adhoc = "adhoc"

const defaultAgents = 3

func (w *words) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.role, "role", "", "role of the council, for example DEV or QA")
	flags.IntVar(&w.agents, "agents", defaultAgents, "number of agents")
	flags.StringVar(&w.url, "vllm-url", os.Getenv("DELIBERATION_VLLM_URL"), "model server as seen from the Ray cluster; also DELIBERATION_VLLM_URL")
	flags.StringVar(&w.model, "model", os.Getenv("DELIBERATION_VLLM_MODEL"), "model; also DELIBERATION_VLLM_MODEL")
	flags.StringVar(&w.taskID, "task-id", "", "task id (default: made of the words)")
	flags.Var(&w.timeout, "timeout", "time for the agents, for example 300 or 5m (default 300)")
	flags.Var(&w.queueTimeout, "queue-timeout", "time to wait for room on Ray (default 3600)")
	flags.IntVar(&w.retries, "retries", domain.DefaultMaxRetries, "how often an agent's failed turn is tried again")
	flags.IntVar(&w.quorum, "quorum", 0, "how many proposals make a result; 0 is one")
}

// wordFlags are those that make a request; with -f they would change nothing.
var wordFlags = []string{"role", "agents", "vllm-url", "model", "task-id", "timeout", "queue-timeout", "retries", "quorum"}

// request fills in what words leave open. What isn't given is left to the request's own defaults.
func (w *words) request(sentence string, flags *pflag.FlagSet) (contract.Request, error) {
	if w.agents < 1 || w.agents > domain.MaxAgents {
		return contract.Request{}, misused("", "--agents: must be 1..%d, got %d", domain.MaxAgents, w.agents)
	}
	request := contract.Request{
		TaskDescription: sentence, Role: w.role, VLLMURL: w.url, VLLMModel: w.model,
		Constraints: contract.Constraints{
			StoryID: adhoc, PlanID: adhoc, TimeoutSeconds: w.timeout.given(), QueueTimeoutSeconds: w.queueTimeout.given(),
		},
	}
	if flags.Changed("retries") {
		request.Constraints.MaxRetries = &w.retries
	}
	if flags.Changed("quorum") {
		request.Protocol = &contract.Protocol{Review: domain.ReviewNone, Quorum: &w.quorum}
	}
	for i := range w.agents {
		request.Agents = append(request.Agents, contract.Agent{AgentID: agentID(w.role, i+1)})
	}
	request.TaskID = w.taskID
	if !flags.Changed("task-id") {
		request.TaskID = taskID(sentence, request)
	}
	return request, nil
}

func agentID(role string, number int) string {
	return fmt.Sprintf("agent-%s-%03d", first(slug(role), "any"), number)
}

// taskID is readable, and the same for the same request only: a repeat attaches, a change starts anew.
func taskID(sentence string, request contract.Request) string {
	text, err := json.Marshal(request)
	if err != nil { // a request made of texts and numbers always has its JSON
		text = []byte(sentence)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256(text))
	return first(slug(sentence), "task") + "-" + hash[:hashDigits]
}

const (
	hashDigits = 8
	slugMost   = 40
)

// slug keeps what reads well in ids and addresses: lower-case ASCII letters and digits, in words.
func slug(text string) string {
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r > unicode.MaxASCII || (!unicode.IsLetter(r) && !unicode.IsDigit(r))
	})
	short := ""
	for _, part := range parts {
		if len(short)+1+len(part) > slugMost && short != "" {
			break
		}
		short = strings.TrimPrefix(short+"-"+part, "-")
	}
	return strings.TrimRight(short[:min(len(short), slugMost)], "-")
}

// seconds is a flag that takes whole seconds, as a number or as a duration.
type seconds struct {
	value int
	set   bool
}

// Set reads the flag.
func (s *seconds) Set(text string) error {
	if number, err := strconv.Atoi(text); err == nil {
		s.value, s.set = number, true
		return nil
	}
	duration, err := time.ParseDuration(text)
	if err != nil || duration%time.Second != 0 {
		return errors.New("must be whole seconds, for example 300 or 5m")
	}
	s.value, s.set = int(duration/time.Second), true
	return nil
}

// String is the flag's default, which the request's own rules fill in.
func (s *seconds) String() string { return "" }

// Type names the value in the help.
func (s *seconds) Type() string { return "seconds" }

func (s *seconds) given() *int {
	if !s.set {
		return nil
	}
	return &s.value
}
