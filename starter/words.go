package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// words makes a request of a sentence and of flags. It leaves out fields that aren't given, so that they get their
// defaults.
type words struct {
	flags    *pflag.FlagSet // only those that make a request
	asked    contract.Request
	protocol contract.Protocol
	agents   int

	timeout, queueTimeout, patience        time.Duration
	retries, quorum, rounds, calls, tokens int
}

// adhoc is the story id and the plan id of a request that was made of words.
const adhoc = "adhoc"

const defaultAgents = 3

func (w *words) register(flags *pflag.FlagSet) {
	own := pflag.NewFlagSet("words", pflag.ContinueOnError)
	own.SortFlags = false
	own.StringVar(&w.asked.Role, "role", "", "role of the council, for example DEV or QA")
	own.IntVar(&w.agents, "agents", defaultAgents, "number of agents")
	own.StringVar(&w.asked.VLLMURL, "vllm-url", os.Getenv("DELIBERATION_VLLM_URL"), "model server as seen from the Ray cluster; also DELIBERATION_VLLM_URL")
	own.StringVar(&w.asked.VLLMModel, "model", os.Getenv("DELIBERATION_VLLM_MODEL"), "model; also DELIBERATION_VLLM_MODEL")
	own.StringVar(&w.asked.TaskID, "task-id", "", "task id (default: made of the words)")
	own.DurationVar(&w.timeout, "timeout", domain.DefaultTimeoutSeconds*time.Second, "time for the agents, in whole seconds")
	own.DurationVar(&w.queueTimeout, "queue-timeout", domain.DefaultQueueTimeoutSeconds*time.Second, "time to wait for room on Ray, in whole seconds")
	own.IntVar(&w.retries, "retries", domain.DefaultMaxRetries, "how often an agent's failed turn is tried again")
	own.IntVar(&w.quorum, "quorum", 0, "how many proposals make a result; 0 means one")
	own.StringVar(&w.protocol.Mode, "mode", "", "how the council comes to its answer: rank, vote or synthesize (default: rank)")
	own.StringVar(&w.protocol.ChairModel, "chair-model", "", "the chair's model, with --mode synthesize (default: --model)")
	own.StringVar(&w.protocol.ChairURL, "chair-url", "", "the chair's model server (default: --vllm-url)")
	own.StringVar(&w.protocol.Review, "review", "", "who reviews the proposals: none, peer or judge (default: peer from two agents on)")
	own.StringVar(&w.protocol.JudgeModel, "judge-model", "", "the judge's model, with --review judge")
	own.StringVar(&w.protocol.JudgeURL, "judge-url", "", "the judge's model server (default: --vllm-url)")
	own.IntVar(&w.rounds, "rounds", 1, "how often authors may revise")
	own.DurationVar(&w.patience, "patience", 0, "how long slow agents are waited for once the quorum is met (default: half of the time that is left, or until the deadline without reviews and chair)")
	own.IntVar(&w.calls, "max-calls", 0, "how many model calls it may make, retries included (default: no bound)")
	own.IntVar(&w.tokens, "max-total-tokens", 0, "how many prompt and completion tokens it may use (default: no bound)")
	w.flags = own
	flags.AddFlagSet(own)
}

func (w *words) request(sentence string) (contract.Request, error) {
	if w.agents < 1 || w.agents > domain.MaxAgents {
		return contract.Request{}, misused("", "--agents: must be 1..%d, got %d", domain.MaxAgents, w.agents)
	}
	request := w.asked
	request.TaskDescription = sentence
	request.Constraints = contract.Constraints{StoryID: adhoc, PlanID: adhoc, MaxRetries: given(w.flags, "retries", w.retries)}
	var err error
	if request.Constraints.TimeoutSeconds, err = w.wholeSeconds("timeout", w.timeout); err != nil {
		return contract.Request{}, err
	}
	if request.Constraints.QueueTimeoutSeconds, err = w.wholeSeconds("queue-timeout", w.queueTimeout); err != nil {
		return contract.Request{}, err
	}
	if request.Protocol, err = w.wholeProtocol(); err != nil {
		return contract.Request{}, err
	}
	for i := range w.agents {
		request.Agents = append(request.Agents, contract.Agent{AgentID: agentID(request.Role, i+1)})
	}
	if !w.flags.Changed("task-id") {
		request.TaskID = taskID(sentence, request)
	}
	return request, nil
}

// given returns the value of a flag; nil if the flag wasn't given. An explicit 0 is passed on, so that the request's
// check can refuse it.
func given(flags *pflag.FlagSet, name string, value int) *int {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

// wholeSeconds does the same for a time.
func (w *words) wholeSeconds(name string, value time.Duration) (*int, error) {
	if w.flags.Changed(name) && value%time.Second != 0 {
		return nil, misused("", "--%s must be whole seconds, for example 90s or 5m, got %q", name, value)
	}
	return given(w.flags, name, int(value/time.Second)), nil
}

// wholeProtocol returns the protocol by the flags; nil for one agent without such flags.
func (w *words) wholeProtocol() (*contract.Protocol, error) {
	if err := w.checkRoles(); err != nil {
		return nil, err
	}
	protocol := w.protocol
	if !w.flags.Changed("review") {
		protocol.Review = domain.ReviewNone
		if w.agents > 1 {
			protocol.Review = domain.ReviewPeer
		}
	}
	protocol.Rounds, protocol.Quorum = given(w.flags, "rounds", w.rounds), given(w.flags, "quorum", w.quorum)
	protocol.MaxCalls, protocol.TotalTokens = given(w.flags, "max-calls", w.calls), given(w.flags, "max-total-tokens", w.tokens)
	var err error
	if protocol.Patience, err = w.wholeSeconds("patience", w.patience); err != nil {
		return nil, err
	}
	if !w.flags.Changed("review") && reflect.DeepEqual(protocol, contract.Protocol{Review: domain.ReviewNone}) {
		return nil, nil //nolint:nilnil // without a protocol, the request has its defaults
	}
	return &protocol, nil
}

// checkRoles refuses the flags of a judge, a chair or reviewers if the council has none.
func (w *words) checkRoles() error {
	for _, name := range []string{"judge-model", "judge-url"} {
		if w.flags.Changed(name) && w.protocol.Review != domain.ReviewJudge {
			return misused("add --review judge", "--%s is for a judge only", name)
		}
	}
	for _, name := range []string{"chair-model", "chair-url"} {
		if w.flags.Changed(name) && w.protocol.Mode != domain.ModeSynthesize {
			return misused("add --mode synthesize", "--%s is for a chair only", name)
		}
	}
	unreviewed := w.protocol.Review == domain.ReviewNone || w.agents == 1 && !w.flags.Changed("review")
	if w.flags.Changed("rounds") && unreviewed {
		return misused("leave it out, or have reviews: two agents or more, without --review none", "--rounds is for reviews only")
	}
	return nil
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
