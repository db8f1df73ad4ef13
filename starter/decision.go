package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

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
