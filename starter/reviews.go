package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/report"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// printLeaderboard shows the ranked proposals. If reviewers ranked them, it shows both their score and the agent's own.
func (c *cli) printLeaderboard(result contract.Result) {
	reviewed := result.BestResult != nil && result.BestResult.Judged != nil
	header := []any{"#", "score"}
	if reviewed {
		header = append(header, "own", "points", "reviews")
	}
	t := terminal.NewTable(append(header, "agent", "role", "attempts", "time", "proposal")...)
	for _, r := range result.Results {
		row := []any{r.Rank, fmt.Sprintf("%.2f", r.Score)}
		if reviewed {
			row = append(row, judgedCells(r)...)
		}
		t.AppendRow(append(row, untrusted.Inline(r.AgentID), untrusted.Inline(r.Role), r.Attempts,
			milliseconds(r.DurationMS), terminal.FirstLines(r.Proposal, 2, 60)))
	}
	c.printf("%s\n", t.Render())
}

// judgedCells returns the agent's own score, the points and the number of reviews.
func judgedCells(r contract.AgentResult) []any {
	cells := []any{"", "", "none"}
	if r.OwnScore != nil {
		cells[0] = fmt.Sprintf("%.2f", *r.OwnScore)
	}
	if r.Judged == nil || r.Judged.Reviews == 0 {
		return cells
	}
	cells[1], cells[2] = fmt.Sprintf("%.2f", r.Judged.Points), fmt.Sprint(r.Judged.Reviews)
	if r.Judged.Blocked {
		cells[2] = fmt.Sprint(cells[2], ", blocked")
	}
	return cells
}

// printReviews sums up the reviews and shows the fate of each revision. Without reviews it prints nothing.
func (c *cli) printReviews(result contract.Result) {
	if result.Review == nil {
		return
	}
	summary := result.Review
	c.printf("\n%s\n", c.paint(text.Bold, "Reviews"))
	c.printf("  %s in %s, %d failed%s\n", domain.Count(summary.Reviews, "usable review"),
		domain.Count(summary.Rounds, "round"), summary.Failed, agreementWords(result))
	c.printf("  stopped: %s\n", untrusted.Inline(report.WhyStopped(result)))
	if summary.Note != "" {
		c.printf("  note: %s\n", untrusted.Inline(summary.Note))
	}
	for _, review := range result.Reviews {
		if review.ErrorType != "" {
			c.printf("  %s has no review in round %d: %s: %s\n", untrusted.Inline(review.ReviewerID), review.Round,
				untrusted.Inline(string(review.ErrorType)), untrusted.Inline(review.Message))
		}
	}
	c.printRevisions(result.Revisions)
}

// agreementWords say how far the reviewers agree. A judge has nobody to agree with.
func agreementWords(result contract.Result) string {
	switch w := result.Review.KendallW; {
	case w != nil:
		return fmt.Sprintf("; Kendall's W %.2f", *w)
	case report.ByJudge(result):
		return ""
	}
	return "; Kendall's W isn't defined for so few or such uneven rankings"
}

func (c *cli) printRevisions(revisions []contract.RevisionRecord) {
	if len(revisions) == 0 {
		return
	}
	c.printf("\n%s\n", c.paint(text.Bold, "Revisions"))
	for _, revision := range revisions {
		fate := untrusted.Inline(report.FateWords(revision.Fate))
		if revision.ErrorType != "" {
			fate += ": " + untrusted.Inline(strings.TrimSuffix(string(revision.ErrorType)+": "+revision.Message, ": "))
		}
		c.printf("  round %d, %s: %s\n", revision.Round, untrusted.Inline(revision.AgentID), fate)
	}
}

// printUsageByPhase shows the cost of each kind of phase, if there is more than one.
func (c *cli) printUsageByPhase(usage contract.TotalUsage) {
	for _, kind := range domain.PhaseKinds() {
		if part, paid := usage.ByPhase[kind]; paid {
			c.printf("  %-10s %s\n", kind, phaseCost(part))
		}
	}
}

func phaseCost(usage contract.PhaseUsage) string {
	return fmt.Sprintf("%s, %d prompt and %d completion tokens",
		domain.Count(usage.LLMCalls, "model call"), usage.PromptTokens, usage.CompletionTokens)
}
