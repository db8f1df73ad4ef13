package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) jobsCommand() *cobra.Command {
	watch := false
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "List the deliberations that run",
		Long: `List the deliberations that run, the newest first, with their runtimes.

They are counted now. If that takes too long, the last count is shown, which is a minute old at most; a
line says when it was.

--watch looks every two seconds at the newest 20: at their agents, and at the tokens so far. It needs no
worker, and draws in place on a terminal. Ctrl-C ends it, exit code 0. With --json each look is an object
on a line.`,
		Example: `  starter jobs
  starter jobs --watch
  starter jobs --json | jq -r '.jobs[].submission_id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return c.watch(cmd.Context())
			}
			if err := c.connectToStats(cmd.Context()); err != nil {
				return err
			}
			active, err := c.activeJobs(cmd.Context())
			if err != nil {
				return err
			}
			return c.show(active, func() { c.printJobs(active) })
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "look every two seconds, until Ctrl-C")
	return cmd
}

// activeJobs first asks for the last count, which soon shows whether a worker is there to count again.
func (c *cli) activeJobs(ctx context.Context) (contract.ActiveJobs, error) {
	var last, active contract.ActiveJobs
	if err := c.server.askStats(ctx, contract.QueryActiveJobs, &last); err != nil {
		return last, err
	}
	if err := c.server.refresh(ctx, &contract.Stats{}); err != nil {
		c.warn("not counted now, so this is the last count: %s", err)
		return last, ctx.Err()
	}
	err := c.server.askStats(ctx, contract.QueryActiveJobs, &active)
	return active, err
}

func (c *cli) printJobs(active contract.ActiveJobs) {
	c.printf("%s, counted at %s\n", domain.Count(int(active.Total), "active deliberation"), cmp.Or(when(&active.AsOf), "no time yet"))
	if len(active.Jobs) == 0 {
		return
	}
	t := terminal.NewTable("deliberation", "role", "status", "runtime", "started")
	for _, job := range active.Jobs {
		started := time.Unix(job.StartTimeSeconds, 0)
		t.AppendRow([]any{
			untrusted.Inline(job.SubmissionID), untrusted.Inline(job.Role), untrusted.Inline(job.Status),
			untrusted.Inline(job.Runtime), when(&started),
		})
	}
	c.printf("\n%s\n", t.Render())
	if hidden := int(active.Total) - len(active.Jobs); hidden > 0 {
		c.printf("and %d more\n", hidden)
	}
}

const (
	watchEvery  = 2 * time.Second
	watchWithin = 5 * time.Second
	watchedMost = 20 // deliberations
)

// watcher looks at the open runs again and again. It reads a history again only if the history has grown.
type watcher struct {
	server

	last map[string]watched // the previous look, by run id
}

// snapshot is one look.
type snapshot struct {
	AsOf  time.Time `json:"as_of"`
	Total int64     `json:"total"`
	Jobs  []watched `json:"jobs"`
}

type watched struct {
	RunID          string `json:"run_id"`
	Role           string `json:"role"`
	RuntimeSeconds int64  `json:"runtime_seconds"`
	runs.View

	timeline *runs.Timeline
	length   int64 // of the history that the timeline was made of
}

// watch shows the open runs until Ctrl-C, after which the command succeeds.
func (c *cli) watch(ctx context.Context) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	w := &watcher{server: s}
	live, away := terminal.NewLive(c.stdout), false
	for {
		seen, err := w.look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the error is Ctrl-C
		case err != nil && !runs.MayAnswerLater(err):
			return err
		case err != nil && !away:
			c.warn("temporal at %q does not answer; still watching", s.address)
			live.Leave()
		case err == nil:
			if err := c.showSnapshot(live, seen); err != nil {
				return err
			}
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchEvery):
		}
	}
}

func (c *cli) showSnapshot(live *terminal.Live, seen snapshot) error {
	switch {
	case c.json:
		return c.printJSON(seen)
	case live.InPlace():
		return live.Draw(strings.Split(seen.text(), "\n"))
	}
	_, err := fmt.Fprintf(c.stdout, "%s\n\n", seen.text())
	return err
}

func (s snapshot) text() string {
	title := fmt.Sprintf("%s, seen at %s", domain.Count(int(s.Total), "active deliberation"), when(&s.AsOf))
	if len(s.Jobs) == 0 {
		return title
	}
	t := terminal.NewTable("deliberation", "role", "phase", "agents", "tokens", "runtime", "waiting for")
	for _, job := range s.Jobs {
		states, tokens := job.agentStates()
		runtime := time.Duration(job.RuntimeSeconds) * time.Second
		t.AppendRow([]any{
			untrusted.Inline(job.DeliberationID), untrusted.Inline(job.Role), untrusted.Inline(job.Phase), states, tokens,
			runtime.String(), terminal.FirstLines(job.WaitingFor, 1, 60),
		})
	}
	lines := title + "\n" + t.Render()
	if hidden := s.Total - int64(len(s.Jobs)); len(s.Jobs) == watchedMost && hidden > 0 {
		lines += fmt.Sprintf("\nand %d more", hidden)
	}
	return lines
}

// agentStates counts the agents in each state, and the tokens of all.
func (w watched) agentStates() (states string, tokens int) {
	var order []domain.AgentState
	count := map[domain.AgentState]int{}
	for _, agent := range w.Agents {
		tokens += agent.Tokens
		if count[agent.State] == 0 {
			order = append(order, agent.State)
		}
		count[agent.State]++
	}
	var parts []string
	for _, state := range order {
		parts = append(parts, fmt.Sprintf("%d %s", count[state], untrusted.Inline(string(state))))
	}
	return strings.Join(parts, ", "), tokens
}

// look asks for the open runs, the newest first.
func (w *watcher) look(ctx context.Context) (snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, watchWithin)
	defer cancel()
	open := runs.Deliberations().HasStatus("running")
	seen := snapshot{AsOf: time.Now().UTC(), Jobs: []watched{}}
	counted, err := w.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: w.Namespace, Query: open.String()})
	if err != nil {
		return seen, err
	}
	seen.Total = counted.GetCount()
	jobs := make([]*watched, watchedMost)
	readers, reading := errgroup.WithContext(ctx)
	readers.SetLimit(readersMost)
	next := 0
	for run, err := range w.List(reading, open, watchedMost) {
		if err != nil {
			return seen, errors.Join(err, readers.Wait())
		}
		place := next
		readers.Go(func() (err error) {
			jobs[place], err = w.job(reading, run)
			return err
		})
		next++
		if next == watchedMost {
			break
		}
	}
	err = readers.Wait()
	w.last = map[string]watched{}
	for _, job := range jobs {
		if job != nil {
			seen.Jobs = append(seen.Jobs, *job)
			w.last[job.RunID] = *job
		}
	}
	return seen, err
}

// job returns the state of one run; nil if it has ended in the meantime.
func (w *watcher) job(ctx context.Context, listed runs.Run) (*watched, error) {
	run, err := w.Describe(ctx, listed.ID, listed.RunID)
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone || (err == nil && !run.Open()) {
		return nil, nil //nolint:nilnil // the run has ended
	}
	if err != nil {
		return nil, err
	}
	seen := watched{
		RunID: run.RunID, Role: run.Role(), RuntimeSeconds: int64(time.Since(run.Info.GetStartTime().AsTime()).Seconds()),
		timeline: w.last[run.RunID].timeline, length: run.Info.GetHistoryLength(),
	}
	if seen.timeline == nil || seen.length != w.last[run.RunID].length {
		if seen.timeline, err = w.Timeline(ctx, run); err != nil {
			return nil, err
		}
	}
	seen.View = runs.OpenView(run, seen.timeline)
	return &seen, nil
}
