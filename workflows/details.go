package workflows

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

const (
	// mostInMatrix bounds the reviewers and the texts that the review matrix shows.
	mostInMatrix = 12
	// mostNamed bounds the agents that are named as being waited for.
	mostNamed = 8
)

// showCouncil writes the current details, which the Web UI and `temporal workflow metadata` show.
func (d *deliberation) showCouncil(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, d.details())
}

func (d *deliberation) details() string {
	var out strings.Builder
	fmt.Fprintf(&out, "**%s**\n\nPhase: %s", inline(d.request().Title()), d.shown.phase)
	if d.shown.round > 0 && !d.shown.status.Closed() {
		fmt.Fprintf(&out, ", round %d of %d", d.shown.round, d.request().Protocol().Rounds()+1)
	}
	out.WriteString("\n\n")
	if waiting := d.waiting(); waiting != "" {
		fmt.Fprintf(&out, "Waiting for: %s\n\n", waiting)
	}
	ranked := d.council.Rank()
	d.writeLeaderboard(&out, ranked)
	writeVotes(&out, ranked.Votes())
	writeMatrix(&out, d.council.LatestReviews())
	if wrote, there := d.council.Synthesis(); there {
		text, _ := domain.CutEncoded(wrote.Proposal(), domain.MaxName)
		fmt.Fprintf(&out, "\nFinal answer of the %s: %s\n", wrote.Agent().ID(), inline(text))
	}
	failures := slices.Clone(ranked.Failures())
	if chair, failed := d.council.ChairFailure(); failed {
		failures = append(failures, chair)
	}
	for _, failure := range failures {
		message, _ := domain.CutEncoded(failure.Message(), domain.MaxName)
		fmt.Fprintf(&out, "\n- %s: %s: %s", inline(failure.AgentID()), failure.Kind(), inline(message))
	}
	return out.String()
}

// waiting names what the council waits for: room on Ray, or agents.
func (d *deliberation) waiting() string {
	if d.shown.waitingFor != "" {
		return "room on Ray; " + inline(d.shown.waitingFor)
	}
	var names []string
	for _, agent := range d.council.AtWork() {
		names = append(names, inline(agent.ID()))
	}
	if more := len(names) - mostNamed; more > 0 {
		names = append(names[:mostNamed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

func (d *deliberation) writeLeaderboard(out *strings.Builder, ranked domain.CouncilResult) {
	out.WriteString("| # | agent | role | state | score | attempt |\n|---|---|---|---|---|---|\n")
	for i, result := range ranked.Results() {
		fmt.Fprintf(out, "| %d | %s | %s | completed | %.2f | %d |\n",
			i+1, inline(result.Agent().ID()), inline(result.Agent().Role()), result.Score(), result.Attempts())
	}
	for _, seat := range d.council.Seats() {
		if seat.State() != domain.AgentCompleted {
			fmt.Fprintf(out, "| – | %s | %s | %s | – | %d |\n",
				inline(seat.Agent().ID()), inline(seat.Agent().Role()), seat.State(), seat.Attempt())
		}
	}
}

func writeVotes(out *strings.Builder, votes []domain.Vote) {
	for i, vote := range votes {
		if i == 0 {
			out.WriteString("\n| answer | votes | mean score |\n|---|---|---|\n")
		}
		if i < mostInMatrix {
			fmt.Fprintf(out, "| %s | %d | %.2f |\n", inline(vote.Answer), len(vote.Agents), vote.Score)
		}
	}
}

// writeMatrix shows the score that each reviewer gave to each text in the latest round. It doesn't show a large
// matrix, which is in the result.
func writeMatrix(out *strings.Builder, reviews []domain.ReviewRecord) {
	columns := map[string]domain.Candidate{}
	for _, review := range reviews {
		for _, candidate := range review.Order {
			columns[candidate.ID] = candidate
		}
	}
	switch {
	case len(reviews) == 0:
		return
	case len(reviews) > mostInMatrix || len(columns) > mostInMatrix:
		fmt.Fprintf(out, "\nRound %d: %s of %s; the result has them all\n", reviews[0].Round, domain.Count(len(reviews), "review"), domain.Count(len(columns), "text"))
		return
	}
	//workflowcheck:ignore // sorted
	ids := slices.Sorted(maps.Keys(columns))
	fmt.Fprintf(out, "\n| reviews, round %d |", reviews[0].Round)
	for _, id := range ids {
		fmt.Fprintf(out, " %s, %s |", id, inline(columns[id].AgentID))
	}
	out.WriteString("\n|" + strings.Repeat("---|", len(ids)+1) + "\n")
	for _, review := range reviews {
		fmt.Fprintf(out, "| %s |", inline(review.Reviewer.ID()))
		for _, id := range ids {
			fmt.Fprintf(out, " %s |", cell(review, id))
		}
		out.WriteString("\n")
	}
}

// cell shows the score that a review gives to a text, and marks a blocking issue.
func cell(review domain.ReviewRecord, id string) string {
	if review.Failure.Kind() != "" {
		return "failed"
	}
	for _, note := range review.Notes {
		switch {
		case note.Of.ID != id:
		case len(note.Blocking) > 0:
			return fmt.Sprintf("%.2f, blocked", note.Score)
		default:
			return fmt.Sprintf("%.2f", note.Score)
		}
	}
	return "–"
}
