package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/internal/suggest"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

const listMost = 10_000

// listOptions are the flags of list.
type listOptions struct {
	role, task, story, plan, status string
	since                           model.Duration
	limit                           int
}

func (c *cli) listCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliberations, both running and ended",
		Long: `List deliberations: those that run first, then those that ended last. All filters must match.

Role, task, story and plan are search attributes. starter setup registers them in a namespace that lacks
them. A deliberation that was started before that has none, so no filter finds it. Workers write them, so
none finds a deliberation that no worker has taken up yet. Temporal lists a deliberation that has ended
after some seconds.`,
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
	flags.StringVar(&o.status, "status", "", "only those with this status, one of "+strings.Join(runs.StatusNames(), ", "))
	sinceFlag(cmd, &o.since, "only those that started or ended since")
	flags.IntVar(&o.limit, "limit", 50, "how many at most")
	complete(cmd, "status", runs.StatusNames()...)
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
	TookMS         int64      `json:"took_ms"` // until now if it runs
	Score          *float64   `json:"score"`
	ErrorMessage   *string    `json:"error_message"` // its beginning; starter result shows all of it
}

func (c *cli) list(cmd *cobra.Command, o listOptions) error {
	where, err := o.filter(cmd)
	if err != nil {
		return err
	}
	s, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	answer, err := s.listing(cmd.Context(), where, o.limit)
	if err != nil {
		return s.explainFilter(where, err)
	}
	return c.show(answer, func() { c.printListing(answer) })
}

func (o listOptions) filter(cmd *cobra.Command) (runs.Filter, error) {
	if o.limit < 1 || o.limit > listMost {
		return nil, misused("", "--limit: must be 1..%d, got %d", listMost, o.limit)
	}
	if names := runs.StatusNames(); o.status != "" && !slices.Contains(names, o.status) {
		return nil, misused(seeHelp(cmd), "--status must be one of %s, got %q%s", strings.Join(names, ", "), o.status, suggest.For(o.status, "", names))
	}
	start, err := startOf(cmd, o.since)
	return runs.Deliberations().Is(contract.AttributeRole.GetName(), o.role).Is(contract.AttributeTaskID.GetName(), o.task).
		Is(contract.AttributeStoryID.GetName(), o.story).Is(contract.AttributePlanID.GetName(), o.plan).
		Since(start).HasStatus(o.status), err
}

func (s server) listing(ctx context.Context, where runs.Filter, limit int) (listing, error) {
	answer := listing{Deliberations: []listed{}}
	for run, err := range s.List(ctx, where, limit+1) {
		if err != nil {
			return listing{}, err
		}
		if len(answer.Deliberations) == limit {
			answer.More = true
			break
		}
		answer.Deliberations = append(answer.Deliberations, listedOf(run))
	}
	return answer, nil
}

func listedOf(run runs.Run) listed {
	line := listed{
		DeliberationID: run.ID, RunID: run.RunID, Status: run.StatusName(), StartedAt: run.Info.GetStartTime().AsTime(),
		Score: run.Score(), TaskID: run.TaskID(), Role: run.Role(),
	}
	if why := run.Memo(contract.MemoError); why != "" {
		line.ErrorMessage = &why
	}
	took := time.Since(line.StartedAt)
	if closed := run.Info.GetCloseTime(); closed != nil {
		at := closed.AsTime()
		line.ClosedAt, took = &at, at.Sub(line.StartedAt)
	}
	line.TookMS = max(took, 0).Milliseconds()
	return line
}

// explainFilter adds advice to an error if the list is filtered by a search attribute that the namespace lacks.
func (s server) explainFilter(where runs.Filter, err error) error {
	if _, invalid := errors.AsType[*serviceerror.InvalidArgument](err); !invalid {
		return err
	}
	for _, key := range contract.Attributes() {
		if strings.Contains(where.String(), " "+key.GetName()+"=") && strings.Contains(err.Error(), key.GetName()) {
			return &exit{
				code: exitFailed, err: fmt.Errorf("namespace %q lacks the search attribute %s, so lists can't be filtered by it", s.Namespace, key.GetName()),
				hint: "register it: starter setup, or: " + searchattributes.CreateCommand(s.Namespace),
			}
		}
	}
	return err
}

func (c *cli) printListing(answer listing) {
	if len(answer.Deliberations) == 0 {
		c.printf("no deliberations\n")
		return
	}
	columns := []any{"deliberation", "role", "status", "started", "took", "score"}
	if slices.ContainsFunc(answer.Deliberations, func(line listed) bool { return line.ErrorMessage != nil }) {
		columns = append(columns, "why")
	}
	t := terminal.NewTable(columns...)
	for _, line := range answer.Deliberations {
		score, why := "", ""
		if line.Score != nil {
			score = fmt.Sprintf("%.2f", *line.Score)
		}
		if line.ErrorMessage != nil {
			why = untrusted.Inline(*line.ErrorMessage)
		}
		row := []any{
			untrusted.Inline(line.DeliberationID), untrusted.Inline(line.Role), c.paint(statusColour(line.Status), line.Status),
			when(&line.StartedAt), milliseconds(line.TookMS), score, why,
		}
		t.AppendRow(row[:len(columns)])
	}
	c.printf("%s\n", t.Render())
	if answer.More {
		c.printf("\nthese are %d; there are more: --limit, --since\n", len(answer.Deliberations))
	}
}

// statusColour returns the colour of a status in a list. Lists have more statuses for a failure.
func statusColour(status string) text.Color {
	switch status {
	case "completed", "cancelled", "running":
		return terminal.StatusColour(domain.DeliberationStatus(status))
	}
	return terminal.StatusColour(domain.StatusFailed)
}
