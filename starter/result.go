package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) resultCommand() *cobra.Command {
	wait := false
	cmd := &cobra.Command{
		Use:   "result ID",
		Short: "Show what a deliberation came to",
		Long: `Show what a deliberation came to: the ranked proposals, or why there is none. No worker is needed.

ID is a deliberation id, or a task id. Exit code 1 when it failed, was cancelled or terminated, or still
runs; --wait waits for its end. Exit code 2 when its request breaks a rule, 3: not found.`,
		Example: `  starter result deliberation-T-42
  starter result T-42 --json | jq .best_result.proposal
  starter result T-42 --wait`,
		Args:              oneID,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: c.ofFound(func(ctx context.Context, e execution) error {
			switch {
			case wait && e.running():
				return c.await(ctx, e)
			case e.running():
				return c.stillRunning(e)
			}
			return c.outcome(ctx, e)
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end, showing the progress")
	return cmd
}

// unsuccessful is the answer about a deliberation without a result.
type unsuccessful struct {
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	Status         domain.DeliberationStatus `json:"status"`
	ErrorType      string                    `json:"error_type"`
	Message        string                    `json:"message"`
	Failures       []contract.AgentFailure   `json:"failures"`
	Usage          contract.TotalUsage       `json:"usage"`
}

func (c *cli) stillRunning(e execution) error {
	const message = "still running"
	if !c.json {
		return &exit{code: exitFailed, err: fmt.Errorf("%s is %s", e.id, message), hint: "add --wait, or look: starter status " + shellWord(e.id)}
	}
	answer := unsuccessful{
		DeliberationID: e.id, RunID: e.runID, Status: domain.StatusRunning, Message: message, Failures: []contract.AgentFailure{},
	}
	if err := c.printJSON(answer); err != nil {
		return err
	}
	return ended(exitFailed)
}

// outcome shows what a run that has ended came to.
func (c *cli) outcome(ctx context.Context, e execution) error {
	end, err := c.server.ending(ctx, e)
	if err != nil {
		return err
	}
	return c.printEnding(e, end)
}

// printEnding shows the outcome, and is the command's exit.
func (c *cli) printEnding(e execution, end ending) error {
	switch {
	case end.status != domain.StatusCompleted:
		return c.printFailure(e, end)
	case c.json:
		return c.printJSON(end.result)
	}
	c.printResult(end.result)
	return nil
}

func (c *cli) printFailure(e execution, end ending) error {
	answer := unsuccessful{
		DeliberationID: e.id, RunID: e.runID, Status: end.status, ErrorType: end.errorType, Message: end.message,
		Failures: append([]contract.AgentFailure{}, end.details.Failures...), Usage: end.details.Usage,
	}
	if c.json {
		if err := c.printJSON(answer); err != nil {
			return err
		}
		return ended(end.code())
	}
	fmt.Fprintf(c.stdout, "%s %s\n", printable(e.id), c.paint(c.stdout, statusColour(end.status), printable(end.words())))
	c.printFailures(answer.Failures)
	c.printUsage(answer.Usage, attempts(nil, answer.Failures))
	return ended(end.code())
}

func (c *cli) printResult(result contract.Result) {
	degraded := ""
	if result.Degraded {
		degraded = ", degraded"
	}
	fmt.Fprintf(c.stdout, "%s %s in %s: %d of %s, average score %.2f, ranked by %s%s\n\n",
		printable(result.DeliberationID), c.paint(c.stdout, statusColour(result.Status), string(result.Status)),
		milliseconds(result.ExecutionTimeMS), result.CompletedAgents, domain.Count(result.TotalAgents, "agent"),
		result.AverageScore, inline(result.RankingBasis), degraded)
	t := newTable("#", "score", "agent", "role", "attempts", "time", "proposal")
	for _, r := range result.Results {
		t.AppendRow([]any{
			r.Rank, fmt.Sprintf("%.2f", r.Score), inline(r.AgentID), inline(r.Role), r.Attempts, milliseconds(r.DurationMS),
			opening(r.Proposal, 2, 60),
		})
	}
	fmt.Fprintln(c.stdout, t.Render())
	c.printFailures(result.Failures)
	if result.BestResult != nil {
		c.printBest(*result.BestResult)
	}
	c.printUsage(result.Usage, attempts(result.Results, result.Failures))
}

func (c *cli) printFailures(failures []contract.AgentFailure) {
	if len(failures) == 0 {
		return
	}
	fmt.Fprintf(c.stdout, "\n%s\n", c.paint(c.stdout, text.Bold, "Failures"))
	for _, failure := range failures {
		fmt.Fprintf(c.stdout, "  %s: %s after %s: %s\n", inline(failure.AgentID), inline(string(failure.ErrorType)),
			domain.Count(failure.Attempts, "attempt"), inline(failure.Message))
	}
}

// attempts is how many turns had the time to call a model.
func attempts(results []contract.AgentResult, failures []contract.AgentFailure) int {
	tried := 0
	for _, result := range results {
		tried += result.Attempts
	}
	for _, failure := range failures {
		tried += failure.Attempts
		switch failure.ErrorType { //nolint:exhaustive // those whose last turn may have made no call, and wasn't lost
		case domain.StillRunning, domain.URLNotAllowed, domain.RayDenied, domain.TurnRejected, domain.DeadlineExceeded:
			tried--
		}
	}
	return tried
}

func (c *cli) printUsage(usage contract.TotalUsage, attempts int) {
	if usage == (contract.TotalUsage{}) {
		return
	}
	fmt.Fprintf(c.stdout, "\nUsage: %s, %d prompt and %d completion tokens, %d of them wasted\n",
		domain.Count(usage.LLMCalls, "model call"), usage.PromptTokens, usage.CompletionTokens, usage.WastedTokens)
	switch lost := attempts - usage.LLMCalls; {
	case lost == 1:
		fmt.Fprintln(c.stdout, "1 attempt was lost with its runner; its cost is unknown")
	case lost > 1:
		fmt.Fprintf(c.stdout, "%d attempts were lost with their runner; their cost is unknown\n", lost)
	}
}

func milliseconds(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	if d < time.Minute {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	}
	return d.Round(time.Second).String()
}
