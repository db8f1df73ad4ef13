package main

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// readersMost bounds the runs that are read at the same time.
const readersMost = 8

// usageGroups are the values of --by.
var usageGroups = []string{"role", "model", "team", byPhase}

// byPhase adds up by phase. A deliberation counts in each of its phases.
const byPhase = "phase"

func (c *cli) usageCommand() *cobra.Command {
	since, by := model.Duration(week), ""
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Add up the model calls and tokens of deliberations that ended",
		Long: `Add up the model calls and tokens of the deliberations that completed or failed in a time, from their results.

Prompt and completion tokens are those of every attempt that was paid for; wasted ones went into answers that
don't count. The team is constraints.metadata.team of the request. A council's wasted tokens aren't known by
model, so councils of several models are a group of their own. By phase, a deliberation counts in each of its
phases, without wasted tokens and cost.

Deliberations that were cancelled or terminated, or that the namespace no longer keeps, aren't counted. After a
reset, what the new run took over from the earlier one counts in both runs. The metrics deliberation_tokens and
deliberation_wasted_tokens count everything, once.`,
		Example: `  starter usage
  starter usage --since 24h --by model
  starter usage --since 7d --by team --json | jq '.groups[]'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(usageGroups, by) {
				return misused(seeHelp(cmd), "--by must be one of %s, got %q", strings.Join(usageGroups, ", "), by)
			}
			start, err := startOf(cmd, since)
			if err != nil {
				return err
			}
			return c.usage(cmd.Context(), start, by)
		},
	}
	sinceFlag(cmd, &since, "those that ended since")
	cmd.Flags().StringVar(&by, "by", usageGroups[0], "add up by one of "+strings.Join(usageGroups, ", "))
	complete(cmd, "by", usageGroups...)
	return cmd
}

// accounts is the answer of usage.
type accounts struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by"`
	Groups []account `json:"groups"`
	Total  account   `json:"total"`
	Unread int       `json:"unread"` // runs that were deleted before they were read
}

type account struct {
	Name          string `json:"name"`
	Deliberations int    `json:"deliberations"`
	contract.TotalUsage
	Unpriced int `json:"unpriced"` // deliberations without a cost, which Cost leaves out
}

func (a *account) add(usage contract.TotalUsage) {
	a.Deliberations++
	a.LLMCalls += usage.LLMCalls
	a.PromptTokens += usage.PromptTokens
	a.CompletionTokens += usage.CompletionTokens
	a.WastedTokens += usage.WastedTokens
	switch {
	case usage.Cost == nil:
		a.Unpriced++
	case a.Cost == nil:
		a.Cost = usage.Cost
	default:
		sum := math.Round((*a.Cost+*usage.Cost)*1e6) / 1e6 // costs have six decimals
		a.Cost = &sum
	}
}

func (c *cli) usage(ctx context.Context, since time.Time, by string) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	answer, err := c.accounts(ctx, s, since, by)
	if err != nil {
		return err
	}
	return c.show(answer, func() { c.printAccounts(answer) })
}

// add adds a run to its group and to the total.
func (a *accounts) add(group string, usage contract.TotalUsage) {
	a.group(group).add(usage)
	a.Total.add(usage)
}

// addPhases adds a run to the group of each of its phases, and to the total. A phase has no cost and no wasted
// tokens of its own.
func (a *accounts) addPhases(usage contract.TotalUsage) {
	for kind, part := range usage.Phases() {
		a.group(string(kind)).add(contract.TotalUsage{
			PromptTokens: part.PromptTokens, CompletionTokens: part.CompletionTokens, LLMCalls: part.LLMCalls,
		})
	}
	a.Total.add(usage)
}

// group returns the account of a group, and creates it if necessary.
func (a *accounts) group(group string) *account {
	i := slices.IndexFunc(a.Groups, func(known account) bool { return known.Name == group })
	if i < 0 {
		i = len(a.Groups)
		a.Groups = append(a.Groups, account{Name: group})
	}
	return &a.Groups[i]
}

// sort puts the group with the most tokens first.
func (a *accounts) sort() {
	slices.SortFunc(a.Groups, func(a, b account) int {
		return cmp.Or(cmp.Compare(b.PromptTokens+b.CompletionTokens, a.PromptTokens+a.CompletionTokens), cmp.Compare(a.Name, b.Name))
	})
}

// accounts reads the runs' results, some at a time.
func (c *cli) accounts(ctx context.Context, s server, since time.Time, by string) (accounts, error) {
	answer := accounts{Since: since, By: by, Groups: []account{}, Total: account{Name: "total"}}
	var adding sync.Mutex
	var read atomic.Int64
	counter := terminal.NewCounter(c.stderr, true, func() string { return "read " + domain.Count(int(read.Load()), "deliberation") })
	defer counter.Stop()
	readers, reading := errgroup.WithContext(ctx)
	readers.SetLimit(readersMost)
	spenders := append(runs.Deliberations(), "ExecutionStatus IN ('Completed', 'Failed')").From("CloseTime", since)
	var unlisted error
	for run, err := range s.List(reading, spenders, runs.PageMost) {
		if err != nil {
			unlisted = err
			break
		}
		readers.Go(func() error {
			group, usage, err := s.spent(reading, run, by)
			read.Add(1)
			adding.Lock()
			defer adding.Unlock()
			switch _, gone := errors.AsType[*serviceerror.NotFound](err); {
			case gone: // its retention ended in the meantime
				answer.Unread++
			case err == nil && by == byPhase:
				answer.addPhases(usage)
			case err == nil:
				answer.add(group, usage)
			case !errors.Is(err, errNoCouncil):
				return err
			}
			return nil
		})
	}
	if err := readers.Wait(); err != nil { // it has ended the list too
		return accounts{}, err
	}
	answer.sort()
	return answer, unlisted
}

// errNoCouncil means that a run never had a council: its request broke a rule, or couldn't be read.
var errNoCouncil = errors.New("no council")

// spent returns the group that a run belongs to, and its cost.
func (s server) spent(ctx context.Context, run runs.Run, by string) (string, contract.TotalUsage, error) {
	end, err := s.Ending(ctx, run)
	switch {
	case err != nil:
		return "", contract.TotalUsage{}, err
	case end.Status == domain.StatusFailed && end.Details.DeliberationID == "":
		return "", contract.TotalUsage{}, errNoCouncil
	}
	group := run.Role()
	if by != byPhase && (by != "role" || group == "") {
		request, err := contract.Recorded(ctx, s, run.ID, run.RunID)
		if err != nil {
			return "", contract.TotalUsage{}, err
		}
		group = groupOf(request, by)
	}
	return group, end.Usage(), nil
}

// groupOf returns the group that a request belongs to; empty if it names none.
func groupOf(request contract.Request, by string) string {
	parsed, err := request.Parse()
	if err != nil { // the rules may have become stricter since the run
		return ""
	}
	asked := parsed.Domain
	switch by {
	case "role":
		return asked.Role()
	case "team":
		return asked.Constraints().Metadata()["team"]
	}
	return strings.Join(asked.Models(), ", ")
}

func (c *cli) printAccounts(answer accounts) {
	c.printf("%s completed or failed since %s\n", domain.Count(answer.Total.Deliberations, "deliberation"), when(&answer.Since))
	if answer.Unread > 0 {
		c.warn("%s ended their retention before they were read", domain.Count(answer.Unread, "deliberation"))
	}
	if len(answer.Groups) == 0 {
		return
	}
	header := []any{untrusted.Inline(answer.By), "deliberations", "llm calls", "prompt tokens", "completion tokens", "wasted tokens"}
	if answer.Total.Cost != nil {
		header = append(header, "cost")
	}
	t := terminal.NewTable(header...)
	for _, line := range append(slices.Clone(answer.Groups), answer.Total) {
		row := []any{
			untrusted.Inline(cmp.Or(line.Name, "(none)")), line.Deliberations, line.LLMCalls, line.PromptTokens, line.CompletionTokens, line.WastedTokens,
		}
		if line.Cost != nil {
			row = append(row, costWords(*line.Cost))
		}
		t.AppendRow(row)
	}
	c.printf("\n%s\n", t.Render())
	if answer.Total.Cost != nil && answer.Total.Unpriced > 0 {
		c.printf("%s without a cost: a model had no price\n", domain.Count(answer.Total.Unpriced, "deliberation"))
	}
}
