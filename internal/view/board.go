package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/internal/untrusted"
	"deliberation.io/deliberation/workflows/contract"
)

// nameMost is the width of an agent's name in a table.
const nameMost = 16

// board returns the leaderboard with the review matrix next to it.
func (m Model) board() []string {
	ranking, matrix := m.ranking(), m.matrix()
	lines := make([]string, max(len(ranking), len(matrix)))
	copy(lines, ranking)
	left := 0
	for _, line := range ranking {
		left = max(left, ansi.StringWidth(line)+3)
	}
	for i, line := range matrix {
		lines[i] = padded(lines[i], left) + line
	}
	return lines
}

func (m Model) ranking() []string {
	results := m.seen.Result.Results
	if len(results) == 0 {
		return nil
	}
	lines := []string{bold + "Ranking" + plain}
	for _, r := range results {
		lines = append(lines, fmt.Sprintf("%2d %s %s %.2f", r.Rank, m.change(r.AgentID, r.Rank), padded(name(r.AgentID), nameMost), r.Score))
	}
	return lines
}

// change shows how a place differs from the one after the previous round.
func (m Model) change(agent string, place int) string {
	before, known := m.before[agent]
	switch {
	case !known || before == place:
		return "  "
	case place < before:
		return fmt.Sprintf("▲%d", before-place)
	}
	return fmt.Sprintf("▼%d", place-before)
}

// matrix has a row for each reviewer and a column for each author: the latest score.
func (m Model) matrix() []string {
	result := m.seen.Result
	reviewers, scores := latestScores(result)
	if len(reviewers) == 0 {
		return nil
	}
	var head strings.Builder
	head.WriteString(bold + padded("Reviews", nameMost))
	for _, r := range result.Results {
		fmt.Fprintf(&head, " #%-3d", r.Rank)
	}
	lines := []string{head.String() + plain}
	for _, reviewer := range reviewers {
		var row strings.Builder
		row.WriteString(padded(name(reviewer), nameMost))
		for _, r := range result.Results {
			cell := "  –  "
			if score, has := scores[[2]string{reviewer, r.AgentID}]; has {
				cell = fmt.Sprintf(" %.2f", score)
			}
			row.WriteString(cell)
		}
		lines = append(lines, row.String())
	}
	return lines
}

// latestScores returns the reviewers, and the latest score that each gave each author.
func latestScores(result contract.Result) (reviewers []string, scores map[[2]string]float64) {
	author := map[string]string{}
	for _, candidate := range result.Candidates {
		author[candidate.ID] = candidate.AgentID
	}
	scores = map[[2]string]float64{}
	for _, review := range result.Reviews {
		if !slices.Contains(reviewers, review.ReviewerID) {
			reviewers = append(reviewers, review.ReviewerID)
		}
		for _, note := range review.Notes {
			scores[[2]string{review.ReviewerID, author[note.Of]}] = note.Score
		}
	}
	return reviewers, scores
}

func name(agent string) string { return ansi.Truncate(untrusted.Inline(agent), nameMost, "…") }
