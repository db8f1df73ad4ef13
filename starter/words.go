package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// words are the flags that make a request of words.
type words struct {
	role, taskID, url, model string
	agents                   int
	timeout, queueTimeout    time.Duration
	retries, quorum          int
	review                   reviewing
	budget                   budgeting
}

// adhoc is the story id and the plan id of a request that was made of words.
const adhoc = "adhoc"

const defaultAgents = 3

func (w *words) register(flags *pflag.FlagSet) {
	flags.StringVar(&w.role, "role", "", "role of the council, for example DEV or QA")
	flags.IntVar(&w.agents, "agents", defaultAgents, "number of agents")
	flags.StringVar(&w.url, "vllm-url", os.Getenv("DELIBERATION_VLLM_URL"), "model server as seen from the Ray cluster; also DELIBERATION_VLLM_URL")
	flags.StringVar(&w.model, "model", os.Getenv("DELIBERATION_VLLM_MODEL"), "model; also DELIBERATION_VLLM_MODEL")
	flags.StringVar(&w.taskID, "task-id", "", "task id (default: made of the words)")
	flags.DurationVar(&w.timeout, "timeout", domain.DefaultTimeoutSeconds*time.Second, "time for the agents, in whole seconds")
	flags.DurationVar(&w.queueTimeout, "queue-timeout", domain.DefaultQueueTimeoutSeconds*time.Second, "time to wait for room on Ray, in whole seconds")
	flags.IntVar(&w.retries, "retries", domain.DefaultMaxRetries, "how often an agent's failed turn is tried again")
	flags.IntVar(&w.quorum, "quorum", 0, "how many proposals make a result; 0 means one")
	w.review.register(flags)
	w.budget.register(flags)
}

// wordFlags are the flags that make a request of words. With -f they have no effect, so they are refused.
var wordFlags = []string{
	"role", "agents", "vllm-url", "model", "task-id", "timeout", "queue-timeout", "retries", "quorum",
	"mode", "chair-model", "chair-url", "review", "judge-model", "judge-url", "rounds", "patience",
	"max-calls", "max-total-tokens",
}

// request makes a request of a sentence. It leaves out fields that aren't given, so that they get their defaults.
func (w *words) request(sentence string, flags *pflag.FlagSet) (contract.Request, error) {
	if w.agents < 1 || w.agents > domain.MaxAgents {
		return contract.Request{}, misused("", "--agents: must be 1..%d, got %d", domain.MaxAgents, w.agents)
	}
	request := contract.Request{
		TaskDescription: sentence, Role: w.role, VLLMURL: w.url, VLLMModel: w.model,
		Constraints: contract.Constraints{StoryID: adhoc, PlanID: adhoc},
	}
	var err error
	if request.Constraints.TimeoutSeconds, err = wholeSeconds(flags, "timeout", w.timeout); err != nil {
		return contract.Request{}, err
	}
	if request.Constraints.QueueTimeoutSeconds, err = wholeSeconds(flags, "queue-timeout", w.queueTimeout); err != nil {
		return contract.Request{}, err
	}
	if flags.Changed("retries") {
		request.Constraints.MaxRetries = &w.retries
	}
	if request.Protocol, err = w.protocol(flags); err != nil {
		return contract.Request{}, err
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

// wholeSeconds returns the value of a flag; nil if the flag wasn't given.
func wholeSeconds(flags *pflag.FlagSet, name string, value time.Duration) (*int, error) {
	switch {
	case !flags.Changed(name):
		return nil, nil //nolint:nilnil // the flag wasn't given
	case value%time.Second != 0:
		return nil, misused("", "--%s must be whole seconds, for example 90s or 5m, got %q", name, value)
	}
	seconds := int(value / time.Second)
	return &seconds, nil
}

func agentID(role string, number int) string {
	return fmt.Sprintf("agent-%s-%03d", cmp.Or(slug(role), "any"), number)
}

// taskID returns a readable id that only the same request has: a repeated request attaches, and a changed one starts
// another task.
func taskID(sentence string, request contract.Request) string {
	text, err := json.Marshal(request)
	if err != nil { // can't happen: the request has only texts and numbers
		text = []byte(sentence)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256(text))
	return cmp.Or(slug(sentence), "task") + "-" + hash[:hashDigits]
}

const (
	hashDigits = 8
	slugMost   = 40
)

// slug makes a text fit for ids and addresses: lower-case ASCII letters and digits, in words.
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
