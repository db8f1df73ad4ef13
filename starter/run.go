package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// runOptions are the flags of run.
type runOptions struct {
	source
	taskQueue string
	rerun     bool
	detach    bool
	dryRun    bool
	plan      bool
}

func (c *cli) runCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run (-f FILE | WORDS...)",
		Short: "Start a deliberation, show its progress and its ranked result",
		Long: `Start a deliberation, show its progress and its ranked result.

The request comes from a JSON file (-f request.json), from stdin (-f -), or is made of words and flags;
then story and plan are "adhoc", and the task id is made of the words and a hash of the whole request.
What is read with -f is sent as it is.

From two agents on, a council that is made of words reviews its proposals: each agent reviews the others,
and authors revise. --review none leaves that out. The command says before the start how many model calls
there are at most; --plan says it with the tokens, and starts nothing.

If the task already runs or has completed, the command attaches to it; if it failed or was cancelled, it
runs again. Another request under the same task id is exit code 4.

Ctrl-C ends the wait, not the deliberation.`,
		Example: `  starter run "Add rate limiting to the login API" --role DEV --agents 3
  starter run -f request.json --json > result.json
  generate-request | starter run -f - --detach
  starter run "Name the risks" --role QA --dry-run > request.json
  starter run "Name the risks" --role QA --agents 5 --rounds 2 --plan`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args, o) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", "", "read the request from a JSON file; - is stdin")
	taskQueueFlag(cmd, &o.taskQueue)
	flags.BoolVar(&o.rerun, "rerun", false, "start the task again if it has ended, even if it completed")
	flags.BoolVarP(&o.detach, "detach", "d", false, "start it, print its ids as JSON, and don't wait")
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the request and print it; start nothing")
	flags.BoolVar(&o.plan, "plan", false, "say how many model calls and tokens it needs at most; start nothing")
	o.register(flags)
	_ = cmd.MarkFlagFilename("file", "json") // fails only for an unknown flag
	return cmd
}

// submitted is what --detach prints.
type submitted struct {
	Status         domain.DeliberationStatus `json:"status"`
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	Message        string                    `json:"message"`
}

// refused is what --detach prints if nothing was started.
type refused struct {
	Status          domain.DeliberationStatus `json:"status"`
	ErrorType       string                    `json:"error_type"`
	DeliberationID  string                    `json:"deliberation_id"`
	ExistingRunID   string                    `json:"existing_run_id,omitempty"`
	DifferingFields []string                  `json:"differing_fields,omitempty"`
	Message         string                    `json:"message"`
}

// differentRequest is the error type of a request whose task id belongs to another request.
const differentRequest = "DifferentRequest"

func (c *cli) run(cmd *cobra.Command, args []string, o runOptions) error {
	if o.plan && (o.dryRun || o.detach) || o.dryRun && o.detach {
		return misused("", "give one of --plan, --dry-run and --detach")
	}
	c.json = c.json || o.detach
	request, err := o.request(args, c.stdin)
	var parsed contract.Parsed
	if err == nil {
		parsed, err = check(request)
	}
	fromWords := o.file == "" && request.TaskDescription != ""
	switch broken, breaks := errors.AsType[domain.Faults](err); {
	case breaks:
		return c.refuseRequest(parsed, broken, fromWords)
	case err != nil:
		return err
	case fromWords:
		c.announce(request)
	}
	if o.plan {
		return c.showPlan(parsed.Domain)
	}
	if fromWords {
		fmt.Fprintf(c.stderr, "%s; a turn that is tried again comes on top\n", parsed.Domain.CallsInWords())
	}
	if o.dryRun {
		return terminal.WriteIndentedJSON(c.stdout, request)
	}
	return c.start(cmd.Context(), parsed, o)
}

// refuseRequest ends a command whose request breaks rules.
func (c *cli) refuseRequest(parsed contract.Parsed, broken domain.Faults, fromWords bool) error {
	answer := refused{Status: domain.StatusFailed, ErrorType: string(domain.InvalidRequest), Message: broken.Error()}
	if task := parsed.Normalised.TaskID; task != "" {
		answer.DeliberationID = contract.WorkflowID(task)
	}
	return c.refuse(answer, refusal(broken, fromWords))
}

// announce shows the values that were filled in.
func (c *cli) announce(request contract.Request) {
	agents := request.Agents
	names := agents[0].AgentID
	if len(agents) > 1 {
		names += " … " + agents[len(agents)-1].AgentID
	}
	for _, line := range [][2]string{
		{"task_id", request.TaskID},
		{"role", request.Role},
		{"story, plan", adhoc},
		{"agents", names},
		{"vllm_url", request.VLLMURL},
		{"vllm_model", request.VLLMModel},
	} {
		fmt.Fprintf(c.stderr, "%-12s %s\n", line[0], untrusted.Inline(line[1]))
	}
}

// start starts the deliberation and, unless detached, waits for its end.
func (c *cli) start(ctx context.Context, parsed contract.Parsed, o runOptions) error {
	if _, err := c.connect(ctx); err != nil {
		return err
	}
	c.warnOfMissingWorkers(ctx, o.taskQueue)
	id := contract.WorkflowID(parsed.Normalised.TaskID)
	started, err := parsed.Start(ctx, c.server.Client, contract.StartOptions{TaskQueue: o.taskQueue, Rerun: o.rerun})
	if ctx.Err() != nil {
		return interrupted(id, "it may have been started")
	}
	if other, is := errors.AsType[*contract.DifferentRequestError](err); is {
		return c.different(other)
	}
	if err != nil {
		return err
	}
	run, err := c.server.Describe(ctx, id, started.Run.GetRunID())
	if err != nil {
		return err
	}
	message := "started"
	switch {
	case started.Attached && run.Open():
		message = "already running"
	case started.Attached:
		message = "already completed"
	}
	if o.detach {
		return c.printJSON(submitted{Status: domain.StatusSubmitted, DeliberationID: id, RunID: run.RunID, Message: message})
	}
	fmt.Fprintf(c.stderr, "%s %s (run %s)\n", untrusted.Printable(id), message, run.RunID)
	if !run.Open() { // there is no progress to show
		return c.outcome(ctx, run)
	}
	return c.await(ctx, run)
}

// different returns the exit if the task id belongs to another request.
func (c *cli) different(other *contract.DifferentRequestError) error {
	const hint = "--rerun starts it again once it has ended; another task_id leaves it alone"
	return c.refuse(refused{
		Status: domain.StatusFailed, ErrorType: differentRequest, DeliberationID: other.DeliberationID,
		ExistingRunID: other.RunID, DifferingFields: other.Fields, Message: other.Error() + "; " + hint,
	}, &exit{code: exitDifferent, err: other, hint: hint})
}
