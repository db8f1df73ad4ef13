package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// runOptions are the flags of run.
type runOptions struct {
	source
	taskQueue string
	rerun     bool
	detach    bool
	dryRun    bool
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

A task that runs already or has completed is attached to; a failed or cancelled one runs again. Another
request under the same task id is exit code 4.

Ctrl-C ends the wait, not the deliberation.`,
		Example: `  starter run "Add rate limiting to the login API" --role DEV --agents 3
  starter run -f request.json --json > result.json
  generate-request | starter run -f - --detach
  starter run "Name the risks" --role QA --dry-run > request.json`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args, o) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", "", "read the request from a JSON file; - is stdin")
	flags.StringVar(&o.taskQueue, "task-queue", first(os.Getenv("DELIBERATION_TASK_QUEUE"), contract.DefaultTaskQueue),
		"task queue of the workers; also DELIBERATION_TASK_QUEUE")
	flags.BoolVar(&o.rerun, "rerun", false, "start a task anew that has ended, also when it completed")
	flags.BoolVarP(&o.detach, "detach", "d", false, "start it, print its ids as JSON, and don't wait")
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the request and print it; start nothing")
	o.register(flags)
	_ = cmd.MarkFlagFilename("file", "json") // the flag is there: it was defined above
	return cmd
}

// submitted is what --detach prints.
type submitted struct {
	Status         domain.DeliberationStatus `json:"status"`
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	Message        string                    `json:"message"`
}

// refused is what it prints when nothing was started.
type refused struct {
	Status          domain.DeliberationStatus `json:"status"`
	ErrorType       string                    `json:"error_type"`
	DeliberationID  string                    `json:"deliberation_id"`
	ExistingRunID   string                    `json:"existing_run_id,omitempty"`
	DifferingFields []string                  `json:"differing_fields,omitempty"`
	Message         string                    `json:"message"`
}

// differentRequest is the error type of a request whose task id stands for another one.
const differentRequest = "DifferentRequest"

func (c *cli) run(cmd *cobra.Command, args []string, o runOptions) error {
	c.json = c.json || o.detach
	request, err := o.request(args, cmd.Flags(), c.stdin)
	var parsed contract.Parsed
	if err == nil {
		parsed, err = check(request)
	}
	var broken domain.Faults
	fromWords := o.file == "" && request.TaskDescription != ""
	switch {
	case errors.As(err, &broken):
		return c.refuse(parsed, broken, fromWords)
	case err != nil:
		return err
	case fromWords:
		c.announce(request)
	}
	if o.dryRun {
		return c.printRequest(request)
	}
	return c.start(cmd.Context(), parsed, o)
}

// refuse ends a command whose request breaks rules; those that read its output get it as JSON.
func (c *cli) refuse(parsed contract.Parsed, broken domain.Faults, fromWords bool) error {
	if !c.json {
		return refusal(broken, fromWords)
	}
	answer := refused{Status: domain.StatusFailed, ErrorType: string(domain.InvalidRequest), Message: broken.Error()}
	if task := parsed.Normalised.TaskID; task != "" {
		answer.DeliberationID = contract.WorkflowID(task)
	}
	if err := c.printJSON(answer); err != nil {
		return err
	}
	return ended(exitUsage)
}

// announce says what was filled in.
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
		fmt.Fprintf(c.stderr, "%-12s %s\n", line[0], inline(line[1]))
	}
}

// printRequest writes the request as it would be sent, laid out for people to edit.
func (c *cli) printRequest(request contract.Request) error {
	text, err := json.MarshalIndent(request, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", text)
	return err
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
	e, err := c.server.describe(ctx, id, started.Run.GetRunID())
	if err != nil {
		return err
	}
	message := "started"
	switch {
	case started.Attached && e.running():
		message = "already running"
	case started.Attached:
		message = "already completed"
	}
	if o.detach {
		return c.printJSON(submitted{Status: domain.StatusSubmitted, DeliberationID: id, RunID: e.runID, Message: message})
	}
	fmt.Fprintf(c.stderr, "%s %s (run %s)\n", printable(id), message, e.runID)
	if !e.running() { // its progress is long over
		return c.outcome(ctx, e)
	}
	return c.await(ctx, e)
}

// different is the exit when the task id stands for another request.
func (c *cli) different(other *contract.DifferentRequestError) error {
	const hint = "--rerun starts it anew once it has ended; another task_id leaves it alone"
	if !c.json {
		return &exit{code: exitDifferent, err: other, hint: hint}
	}
	answer := refused{
		Status: domain.StatusFailed, ErrorType: differentRequest, DeliberationID: other.DeliberationID,
		ExistingRunID: other.RunID, DifferingFields: other.Fields, Message: other.Error() + "; " + hint,
	}
	if err := c.printJSON(answer); err != nil {
		return err
	}
	return ended(exitDifferent)
}
