package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

func (c *cli) resultCommand() *cobra.Command {
	wait := false
	cmd := &cobra.Command{
		Use:   "result ID",
		Short: "Show the result of a deliberation",
		Long: `Show the result of a deliberation: the ranked proposals, or why there are none. No worker is needed.

ID is a deliberation id or a task id. Exit code 1: it failed, was cancelled or terminated, or still runs;
--wait waits for its end. Exit code 2: its request breaks a rule. Exit code 3: not found.`,
		Example: `  starter result deliberation-T-42
  starter result T-42 --json | jq .best_result.proposal
  starter result T-42 --wait`,
		Args: oneID,
		RunE: c.withRun(func(ctx context.Context, run runs.Run) error {
			switch {
			case wait && run.Open():
				return c.await(ctx, run)
			case run.Open():
				return c.stillRunning(run)
			}
			return c.outcome(ctx, run)
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the end, showing the progress")
	return cmd
}

// unsuccessful is the answer for a deliberation without a result.
type unsuccessful struct {
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	Status         domain.DeliberationStatus `json:"status"`
	ErrorType      string                    `json:"error_type"`
	Message        string                    `json:"message"`
	Failures       []contract.AgentFailure   `json:"failures"`
	Usage          contract.TotalUsage       `json:"usage"`
}

func (c *cli) stillRunning(run runs.Run) error {
	const message = "still running"
	answer := unsuccessful{
		DeliberationID: run.ID, RunID: run.RunID, Status: domain.StatusRunning, Message: message, Failures: []contract.AgentFailure{},
	}
	return c.refuse(answer, &exit{
		code: exitFailed, err: fmt.Errorf("%s is %s", run.ID, message), hint: "add --wait, or look: starter status " + terminal.ShellWord(run.ID),
	})
}

// outcome shows the result of a run that has ended.
func (c *cli) outcome(ctx context.Context, run runs.Run) error {
	end, err := c.server.Ending(ctx, run)
	if err != nil {
		return err
	}
	return c.showEnding(run, end)
}

// showEnding shows the result, or why there is none, and returns the command's exit.
func (c *cli) showEnding(run runs.Run, end runs.Ending) error {
	if end.Status == domain.StatusCompleted {
		return c.show(end.Result, func() { c.printResult(end.Result) })
	}
	answer := unsuccessful{
		DeliberationID: run.ID, RunID: run.RunID, Status: end.Status, ErrorType: end.ErrorType, Message: end.Message,
		Failures: append([]contract.AgentFailure{}, end.Details.Failures...), Usage: end.Details.Usage,
	}
	if err := c.show(answer, func() { c.printFailure(run.ID, end) }); err != nil {
		return err
	}
	return exitSilently(exitCodeOf(end))
}

// exitCodeOf returns the exit code for a run without a result.
func exitCodeOf(end runs.Ending) int {
	if end.ErrorType == string(domain.InvalidRequest) {
		return exitUsage
	}
	return exitFailed
}

func (c *cli) printFailure(id string, end runs.Ending) {
	c.printf("%s %s\n", untrusted.Printable(id), c.paint(terminal.StatusColour(end.Status), end.Words()))
	c.printFailures(end.Details.Failures)
	c.printUsage(end.Details.Usage, attempts(nil, end.Details.Failures))
}

func (c *cli) printResult(result contract.Result) {
	degraded := ""
	if result.Degraded {
		degraded = ", degraded"
	}
	c.printf("%s %s in %s: %d of %s, average score %.2f, ranked by %s%s\n\n",
		untrusted.Printable(result.DeliberationID), c.paint(terminal.StatusColour(result.Status), string(result.Status)),
		milliseconds(result.ExecutionTimeMS), result.CompletedAgents, domain.Count(result.TotalAgents, "agent"),
		result.AverageScore, untrusted.Inline(string(result.RankingBasis)), degraded)
	c.printLeaderboard(result)
	c.printOddAnswers(result.Results)
	c.printFailures(result.Failures)
	c.printVotes(result.Votes)
	c.printReviews(result)
	if result.BestResult != nil {
		c.printBest(*result.BestResult)
	}
	c.printSynthesis(result)
	c.printUsage(result.Usage, attempts(result.Results, result.Failures))
	c.printUsageByPhase(result.Usage)
}

// oddAnswers explain the values of metadata.parse, above all why a score is 0.
var oddAnswers = map[string]string{
	domain.ParsePlainText:    "the answer is not the JSON object that was asked for, so it has no score",
	domain.ParseScoreInvalid: "the answer has no score from 0 to 1, so its score is 0",
}

// printOddAnswers says how answers were read that weren't in the form that was asked for.
func (c *cli) printOddAnswers(results []contract.AgentResult) {
	title := "\n" + c.paint(text.Bold, "Answers that were not as asked for") + "\n"
	for _, result := range results {
		parse := result.Metadata["parse"]
		if parse == "" {
			continue
		}
		c.printf("%s  %s: %s\n", title, untrusted.Inline(result.AgentID), cmp.Or(oddAnswers[parse], "read as "+untrusted.Inline(parse)))
		title = ""
	}
}

func (c *cli) printFailures(failures []contract.AgentFailure) {
	if len(failures) == 0 {
		return
	}
	c.printf("\n%s\n", c.paint(text.Bold, "Failures"))
	for _, failure := range failures {
		c.printf("  %s: %s after %s: %s\n", untrusted.Inline(failure.AgentID), untrusted.Inline(string(failure.ErrorType)),
			domain.Count(failure.Attempts, "attempt"), untrusted.Inline(failure.Message))
	}
}

// attempts counts the turns that may have called a model.
func attempts(results []contract.AgentResult, failures []contract.AgentFailure) int {
	tried := 0
	for _, result := range results {
		tried += result.Attempts
	}
	for _, failure := range failures {
		tried += failure.Attempts
		switch failure.ErrorType { //nolint:exhaustive // only failures whose last turn may have made no call
		case domain.ModelRejected, domain.ContextTooLong, domain.StillRunning, domain.URLNotAllowed, domain.RayDenied, domain.TurnRejected, domain.DeadlineExceeded:
			tried--
		}
	}
	return tried
}

func (c *cli) printUsage(usage contract.TotalUsage, attempts int) {
	if usage.LLMCalls == 0 && usage.PromptTokens+usage.CompletionTokens+usage.WastedTokens == 0 {
		return
	}
	c.printf("\nUsage: %s, %d prompt and %d completion tokens, %d of them wasted\n",
		domain.Count(usage.LLMCalls, "model call"), usage.PromptTokens, usage.CompletionTokens, usage.WastedTokens)
	if usage.Cost != nil {
		c.printf("Cost: %s\n", costWords(*usage.Cost))
	}
	switch lost := attempts - usage.LLMCalls; {
	case lost == 1:
		c.printf("1 attempt was lost with its runner; its cost is unknown\n")
	case lost > 1:
		c.printf("%d attempts were lost with their runner; their cost is unknown\n", lost)
	}
}

// costWords shows a cost in the currency of DELIBERATION_PRICES, without trailing zeros.
func costWords(cost float64) string { return strconv.FormatFloat(cost, 'f', -1, 64) }

func milliseconds(ms int64) string { return terminal.Duration(time.Duration(ms) * time.Millisecond) }

// printVotes shows the votes. If the council didn't vote, it prints nothing.
func (c *cli) printVotes(votes []contract.Vote) {
	if len(votes) == 0 {
		return
	}
	c.printf("\n%s\n", c.paint(text.Bold, "Votes"))
	for _, vote := range votes {
		c.printf("  %s: %s, mean score %.2f (%s)\n", untrusted.Inline(vote.Answer), domain.Count(vote.Votes, "vote"), vote.Score,
			untrusted.Inline(strings.Join(vote.Agents, ", ")))
	}
}

// printSynthesis shows the chair's final answer, or why there is none. Without a chair it prints nothing.
func (c *cli) printSynthesis(result contract.Result) {
	if !result.Synthesis.Wanted {
		return
	}
	wrote := result.Synthesis.Text
	if wrote == nil {
		why := "it was not asked"
		if failure := result.ChairFailure; failure != nil {
			why = fmt.Sprintf("%s: %s", failure.ErrorType, failure.Message)
		}
		c.printf("\nThe chair wrote no final answer: %s. The best proposal stands.\n", untrusted.Inline(why))
		return
	}
	c.printf("\n%s\n%s\n", c.paint(text.Bold, "Final answer by the chair, "+untrusted.Inline(wrote.Model)), untrusted.Printable(wrote.Text))
	if wrote.Reasoning != "" {
		c.printf("\n%s\n%s\n", c.paint(text.Bold, "Why"), untrusted.Printable(wrote.Reasoning))
	}
}
