package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/internal/suggest"
	"deliberation.io/deliberation/workflows/contract"
)

const listMost = 10_000

// listOptions are the flags of list.
type listOptions struct {
	role, task, story, plan, status string
	since                           period
	limit                           int
}

func (c *cli) listCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliberations, those that run and those that have ended",
		Long: `List deliberations: those that run first, then the last to end. Filters add up.

Role, task, story and plan are search attributes; starter setup registers them where a namespace lacks
them. A deliberation that was started before that has none, and no filter finds it. What has ended is
listed as soon as Temporal's visibility knows, within seconds.`,
		Example: `  starter list
  starter list --status failed --since 24h
  starter list --role QA --status running
  starter list --story S-7 --json | jq -r '.deliberations[].deliberation_id'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.list(cmd, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.role, "role", "", "only those of this role")
	flags.StringVar(&o.task, "task", "", "only those of this task id")
	flags.StringVar(&o.story, "story", "", "only those of this story id")
	flags.StringVar(&o.plan, "plan", "", "only those of this plan id")
	flags.StringVar(&o.status, "status", "", "only those that are "+strings.Join(statusNames(), ", "))
	flags.Var(&o.since, "since", "only those that were started or have ended since, for example 24h or 7d")
	flags.IntVar(&o.limit, "limit", 50, "how many at most")
	complete(cmd, "status", statusNames()...)
	complete(cmd, "since", "1h", "24h", "7d")
	for _, name := range []string{"role", "task", "story", "plan", "limit"} {
		complete(cmd, name)
	}
	return cmd
}

// listing is the answer of list.
type listing struct {
	Deliberations []listed `json:"deliberations"`
	More          bool     `json:"more"`
}

type listed struct {
	DeliberationID string     `json:"deliberation_id"`
	RunID          string     `json:"run_id"`
	TaskID         string     `json:"task_id"`
	Role           string     `json:"role"`
	Status         string     `json:"status"`
	StartedAt      time.Time  `json:"started_at"`
	ClosedAt       *time.Time `json:"closed_at"`
	TookMS         int64      `json:"took_ms"` // so far, of one that runs
	Score          *float64   `json:"score"`
	ErrorMessage   *string    `json:"error_message"` // the beginning of it; result has all
}

func (c *cli) list(cmd *cobra.Command, o listOptions) error {
	where, err := o.condition(cmd)
	if err != nil {
		return err
	}
	s, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	answer, err := s.listing(cmd.Context(), where, o.limit)
	switch {
	case err != nil:
		return s.unlisted(where, err)
	case c.json:
		return c.printJSON(answer)
	}
	c.printListing(answer)
	return nil
}

func (o listOptions) condition(cmd *cobra.Command) (condition, error) {
	if o.limit < 1 || o.limit > listMost {
		return nil, misused("", "--limit: must be 1..%d, got %d", listMost, o.limit)
	}
	where := deliberations().is(contract.AttributeRole.GetName(), o.role).is(contract.AttributeTaskID.GetName(), o.task).
		is(contract.AttributeStoryID.GetName(), o.story).is(contract.AttributePlanID.GetName(), o.plan).
		since(o.since.start())
	if o.status == "" {
		return where, nil
	}
	for _, known := range executionStatuses {
		if known.name == o.status {
			return where.is("ExecutionStatus", known.status.String()), nil
		}
	}
	return nil, misused(seeHelp(cmd), "--status must be one of %s, got %q%s",
		strings.Join(statusNames(), ", "), o.status, suggest.For(o.status, "", statusNames()))
}

func (s server) listing(ctx context.Context, where condition, limit int) (listing, error) {
	answer := listing{Deliberations: []listed{}}
	for e, err := range s.list(ctx, where, limit+1) {
		if err != nil {
			return listing{}, err
		}
		if len(answer.Deliberations) == limit {
			answer.More = true
			break
		}
		answer.Deliberations = append(answer.Deliberations, listedOf(e))
	}
	return answer, nil
}

func listedOf(e execution) listed {
	line := listed{
		DeliberationID: e.id, RunID: e.runID, Status: e.statusName(), StartedAt: e.info.GetStartTime().AsTime(), Score: e.score(),
		TaskID: e.about(contract.AttributeTaskID, contract.MemoTaskID), Role: e.about(contract.AttributeRole, contract.MemoRole),
	}
	if why := e.memo(contract.MemoError); why != "" {
		line.ErrorMessage = &why
	}
	took := time.Since(line.StartedAt)
	if closed := e.info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		line.ClosedAt, took = &at, at.Sub(line.StartedAt)
	}
	line.TookMS = max(took, 0).Milliseconds()
	return line
}

// unlisted says what to do about a filter by what the namespace lacks: Temporal doesn't.
func (s server) unlisted(where condition, err error) error {
	if _, invalid := errors.AsType[*serviceerror.InvalidArgument](err); !invalid {
		return err
	}
	for _, key := range contract.Attributes() {
		if strings.Contains(where.String(), " "+key.GetName()+"=") && strings.Contains(err.Error(), key.GetName()) {
			return &exit{
				code: exitFailed, err: fmt.Errorf("namespace %q lacks the search attribute %s, so lists can't be filtered by it", s.namespace, key.GetName()),
				hint: "register it: starter setup, or: " + searchattributes.CreateCommand(s.namespace),
			}
		}
	}
	return err
}

func (c *cli) printListing(answer listing) {
	if len(answer.Deliberations) == 0 {
		fmt.Fprintln(c.stdout, "no deliberations")
		return
	}
	columns := []any{"deliberation", "role", "status", "started", "took", "score"}
	if slices.ContainsFunc(answer.Deliberations, func(line listed) bool { return line.ErrorMessage != nil }) {
		columns = append(columns, "why")
	}
	t := newTable(columns...)
	for _, line := range answer.Deliberations {
		score, why := "", ""
		if line.Score != nil {
			score = fmt.Sprintf("%.2f", *line.Score)
		}
		if line.ErrorMessage != nil {
			why = inline(*line.ErrorMessage)
		}
		row := []any{
			inline(line.DeliberationID), inline(line.Role), c.paint(c.stdout, listedColour(line.Status), line.Status),
			when(&line.StartedAt), milliseconds(line.TookMS), score, why,
		}
		t.AppendRow(row[:len(columns)])
	}
	fmt.Fprintln(c.stdout, t.Render())
	if answer.More {
		fmt.Fprintf(c.stdout, "\nthese are %d; there are more: --limit, --since\n", len(answer.Deliberations))
	}
}

func listedColour(status string) text.Color {
	switch status {
	case "completed", "cancelled", "running":
		return statusColour(domain.DeliberationStatus(status))
	}
	return statusColour(domain.StatusFailed)
}

// complete says what a flag may be completed with; nothing is better than the names of files.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}
