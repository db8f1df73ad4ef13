package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// sentMost bounds the input of a workflow: Temporal's limit, less some room for metadata.
	sentMost = 2<<20 - 4<<10
	// readMost bounds the bytes that are read from a file: a longer one can't be a request.
	readMost = 16 << 20
)

// source says where a request comes from: a file, stdin, or words.
type source struct {
	file string
	words
}

// request reads the request or makes it of words. It doesn't change a request that it reads.
func (s *source) request(args []string, stdin io.Reader) (contract.Request, error) {
	file := s.file
	if file == "" && len(args) == 1 && args[0] == "-" {
		file, args = "-", nil
	}
	switch {
	case file != "" && len(args) > 0:
		return contract.Request{}, misused("", "give -f or words, not both; got -f %q and %q", file, strings.Join(args, " "))
	case file != "":
		if err := s.unchanged(); err != nil {
			return contract.Request{}, err
		}
		return readRequest(file, stdin)
	case strings.TrimSpace(strings.Join(args, " ")) == "":
		return contract.Request{}, misused(`for example: starter run "Add rate limiting to the login API" --role DEV --agents 3`,
			"run takes -f request.json, -f - or words")
	}
	return s.words.request(strings.Join(args, " "))
}

// unchanged refuses the flags that make a request of words. They have no effect on a request that is read from a file.
func (s *source) unchanged() (err error) {
	s.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && err == nil {
			err = misused("write it in the file, or give words", "-f takes the request as it is; leave out %q", "--"+flag.Name)
		}
	})
	return err
}

// openInput opens the file of -f; - is stdin.
func openInput(file string, stdin io.Reader) (from io.ReadCloser, name string, err error) {
	if file == "-" {
		return io.NopCloser(stdin), "stdin", nil
	}
	from, err = os.Open(file)
	if err != nil {
		return nil, "", misused("", "-f: %w", err)
	}
	return from, file, nil
}

func readRequest(file string, stdin io.Reader) (contract.Request, error) {
	from, _, err := openInput(file, stdin)
	if err != nil {
		return contract.Request{}, err
	}
	defer from.Close()
	text, err := io.ReadAll(io.LimitReader(from, readMost+1))
	switch {
	case err != nil:
		return contract.Request{}, misused("", "-f: %w", err)
	case len(text) > readMost:
		return contract.Request{}, faults("request", "must be at most %d bytes in JSON, got more than %d", domain.MaxRequest, readMost)
	case len(bytes.TrimSpace(text)) == 0:
		return contract.Request{}, faults("request", "no input was given; it takes one JSON object")
	}
	return contract.RequestText(text), nil
}

func faults(path, rule string, args ...any) error {
	var broken domain.Faults
	broken.Add(path, rule, args...)
	return broken
}

// check parses a request and finds its faults before anything is started, with the workflow's rules and messages. It
// also checks Temporal's own limit: the request must fit a message, with all fields that the service doesn't read.
func check(request contract.Request) (contract.Parsed, error) {
	parsed, err := request.Parse()
	if err != nil || 6*len(parsed.Text) <= sentMost { // no byte becomes more than six
		return parsed, err
	}
	sent, err := json.Marshal(json.RawMessage(parsed.Text))
	if err == nil && len(sent) > sentMost {
		err = faults("request", "must be at most %d bytes as it is sent, got %d", sentMost, len(sent))
	}
	return parsed, err
}

// flagOf names the flag that sets a field of a request made of words.
var flagOf = map[string]string{ //nolint:gosec // names of flags, no credentials
	"task_id": "--task-id", "role": "--role", "vllm_url": "--vllm-url or DELIBERATION_VLLM_URL",
	"vllm_model": "--model or DELIBERATION_VLLM_MODEL", "constraints.timeout_seconds": "--timeout",
	"constraints.max_retries": "--retries", "constraints.queue_timeout_seconds": "--queue-timeout", "protocol.quorum": "--quorum",
	"protocol.review": "--review", "protocol.judge_model": "--judge-model", "protocol.judge_url": "--judge-url",
	"protocol.rounds": "--rounds", "protocol.patience_seconds": "--patience",
	"protocol.mode": "--mode", "protocol.chair_model": "--chair-model", "protocol.chair_url": "--chair-url",
	"protocol.max_llm_calls": "--max-calls", "protocol.max_total_tokens": "--max-total-tokens",
}

// localStack says how a shell gets the variables of `make up`, which name a model server.
const localStack = "the local stack's: set -a; . .dev/stack/env; set +a"

// refusal returns the exit for a request that breaks rules. If the request was made of words, it names the flags.
func refusal(broken domain.Faults, fromWords bool) *exit {
	hint := ""
	if fromWords {
		broken = slices.Clone(broken)
		hint = inFlags(broken)
	}
	return &exit{code: exitUsage, err: errors.New("the request breaks " + domain.Count(len(broken), "rule") +
		"\n  " + strings.Join(broken.Lines(), "\n  ")), hint: hint}
}

// inFlags names flags instead of fields, and says which flags to set.
func inFlags(faults domain.Faults) string {
	var flags []string
	more := ""
	for i, fault := range faults {
		flag, there := flagOf[fault.Path]
		if !there {
			continue
		}
		flags = append(flags, flag)
		faults[i].Path, _, _ = strings.Cut(flag, " ")
		faults[i].Rule = strings.ReplaceAll(fault.Rule, "constraints.max_retries", flagOf["constraints.max_retries"])
		if fault.Rule == "cannot be empty" && (fault.Path == "vllm_url" || fault.Path == "vllm_model") {
			more = "\n  " + localStack
		}
	}
	if len(flags) == 0 {
		return ""
	}
	return "set " + strings.Join(flags, ", ") + more
}
