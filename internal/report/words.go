package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// headline sums up the outcome in one sentence.
func headline(source Source) string {
	result := source.Result
	switch {
	case !source.Status.Closed():
		return fmt.Sprintf("Still running, in phase %s: nothing is decided yet", source.Phase)
	case source.Status == domain.StatusCompleted && len(result.Votes) > 0:
		first := result.Votes[0]
		return fmt.Sprintf("%s won with %d of %s", domain.Quote(first.Answer), first.Votes, domain.Count(votesIn(result), "vote"))
	case source.Status == domain.StatusCompleted && result.Synthesis.Text != nil:
		return "The chair wrote the final answer; the proposal of " + result.BestResult.AgentID + " was first"
	case source.Status == domain.StatusCompleted && result.BestResult != nil:
		return "The proposal of " + result.BestResult.AgentID + " won"
	case source.Status == domain.StatusCancelled:
		return "Cancelled before a decision"
	}
	return "Failed: there is no decision"
}

// story describes in a few sentences what happened.
func story(source Source, r Report) []string {
	result := source.Result
	lines := []string{fmt.Sprintf("%d of %s gave a proposal.", result.CompletedAgents, domain.Count(result.TotalAgents, "agent"))}
	switch {
	case result.TotalAgents == 0:
		lines = []string{"No agent was asked."}
	case len(result.Results) > 0 && result.Results[0].ProposalID != "":
		lines = []string{fmt.Sprintf("%s came with the request.", domain.Count(result.TotalAgents, "proposal"))}
	}
	if source.Ending != "" {
		lines = append(lines, "How it ended: "+sentence(source.Ending))
	}
	if !source.Status.Closed() {
		lines = append(lines, "This page shows what is there so far. Write it again for a later state.")
	} else if r.Decision == nil && len(result.Results) > 0 {
		lines = append(lines, "The proposals below are in the order that they had at the end. None of them was chosen.")
	}
	lines = append(lines, reviewStory(result)...)
	if r.Decision == nil {
		return lines
	}
	lines = append(lines, voteStory(result)...)
	if len(r.Rounds) > 0 && result.RankingBasis != domain.RankedBySelf {
		lines = append(lines, firstStory(source.Result), dissentStory(r))
	}
	if result.Review != nil && result.Review.Note != "" {
		lines = append(lines, "Why it is first: "+sentence(result.Review.Note))
	}
	lines = append(lines, chairStory(result)...)
	return append(lines, "It stopped because "+sentence(WhyStopped(result)))
}

func reviewStory(result contract.Result) []string {
	if result.Review == nil {
		switch {
		case result.Status != domain.StatusCompleted:
			return nil
		case len(result.Votes) > 0:
			return []string{"Nobody reviewed the proposals."}
		}
		return []string{"Nobody reviewed the proposals: the agents' own scores rank them."}
	}
	review, who := result.Review, "reviewers"
	if ByJudge(result) {
		who = "judge"
	}
	line := fmt.Sprintf("The %s wrote %s in %s", who, domain.Count(review.Reviews, "usable review"), domain.Count(review.Rounds, "round"))
	if review.Failed > 0 {
		line += fmt.Sprintf("; %d failed", review.Failed)
	}
	lines := []string{line + "."}
	replaced := 0
	for _, revision := range result.Revisions {
		if revision.Fate == domain.RevisionReplaced {
			replaced++
		}
	}
	if all := len(result.Revisions); all > 0 {
		lines = append(lines, fmt.Sprintf("After the critiques, the council asked for %s; %d replaced the earlier text.", domain.Count(all, "revision"), replaced))
	}
	if review.KendallW != nil {
		lines = append(lines, fmt.Sprintf("The rankings of the last round agree by Kendall's W %.2f (0: not at all, 1: fully).", *review.KendallW))
	}
	return lines
}

// ByJudge reports whether a judge reviewed the proposals.
func ByJudge(result contract.Result) bool {
	return len(result.Reviews) > 0 && !slices.ContainsFunc(result.Reviews, func(r contract.ReviewRecord) bool { return r.ReviewerID != domain.JudgeID })
}

// firstStory says in how many rankings of the last round the winner was first.
func firstStory(result contract.Result) string {
	h, winner := historyOf(result), result.BestResult.AgentID
	firsts, could := 0, 0
	for _, review := range h.in(h.last) {
		switch slices.Index(h.ranking(review), winner) {
		case -1:
		case 0:
			firsts++
			could++
		default:
			could++
		}
	}
	switch {
	case could == 0:
		return fmt.Sprintf("Nobody ranked %s in the last round.", winner)
	case could == 1 && firsts == 1:
		return fmt.Sprintf("%s came first in the only ranking of the last round that could name it.", winner)
	}
	return fmt.Sprintf("%s came first in %d of the %s of the last round that could name it.", winner, firsts, domain.Count(could, "ranking"))
}

func dissentStory(r Report) string {
	switch n := len(r.Dissent); n {
	case 0:
		return "Nobody who could rank the winner put another proposal before it."
	case 1:
		return "One reviewer disagreed or had a blocking issue."
	default:
		return fmt.Sprintf("%d reviewers disagreed or had a blocking issue.", n)
	}
}

func sentence(text string) string { return strings.TrimRight(text, ". ") + "." }

var stopWords = map[domain.StopReason]string{
	domain.StopComplete:      "everything that was asked for is done",
	domain.StopAgreement:     "the reviewers agree on the winner",
	domain.StopRounds:        "all rounds are done",
	domain.StopReviewsFailed: "no review could be used, so the agents' own scores rank",
	domain.StopDeadline:      "the time was over",
	domain.StopStopped:       "a client asked to rank what is there",
	domain.StopBudget:        "the budget doesn't cover another phase",
}

// WhyStopped says why no further phase was planned.
func WhyStopped(result contract.Result) string {
	switch {
	case result.StopReason == domain.StopReviewsFailed && result.RankingBasis != domain.RankedBySelf:
		return "no review of the last round could be used, so earlier ones rank"
	case result.StopReason == domain.StopAgreement && ByJudge(result):
		return "nothing blocks the proposal that the judge put first"
	}
	return cmp.Or(stopWords[result.StopReason], string(result.StopReason))
}

var fateWords = map[domain.RevisionFate]string{
	domain.RevisionReplaced:   "the new text is better and replaced the old one",
	domain.RevisionKept:       "the old text stayed; reviewers don't prefer the new one",
	domain.RevisionUnreviewed: "the old text stayed; nobody compared the two",
	domain.RevisionFailed:     "failed; the old text stayed",
}

// FateWords describe the fate of a revision.
func FateWords(fate domain.RevisionFate) string { return cmp.Or(fateWords[fate], string(fate)) }

// versionWords name a version of a proposal.
func versionWords(version int) string {
	if version == 0 {
		return "first text"
	}
	return fmt.Sprintf("revision %d", version)
}

// moveWords say how a place changed between the first round and the last one.
func moveWords(places []int) string {
	if len(places) < 2 || slices.Contains(places, 0) {
		return ""
	}
	switch first, last := places[0], places[len(places)-1]; {
	case last < first:
		return fmt.Sprintf("▲ %d", first-last)
	case last > first:
		return fmt.Sprintf("▼ %d", last-first)
	}
	return "="
}

func placesWords(places []int) string {
	words := make([]string, 0, len(places))
	for _, place := range places {
		if place == 0 {
			words = append(words, "–")
			continue
		}
		words = append(words, fmt.Sprint(place))
	}
	return strings.Join(words, " → ")
}

// voteStory says how the answers were counted. If the council doesn't vote, it says nothing.
func voteStory(result contract.Result) []string {
	if len(result.Votes) == 0 {
		return nil
	}
	order := "the agents' own scores"
	if result.Review != nil && result.Review.Reviews > 0 {
		order = "the reviews"
	}
	return []string{fmt.Sprintf("The answers were counted: %s gave %s. Within the same answer, %s decide the order.",
		domain.Count(votesIn(result), "proposal"), domain.Count(len(result.Votes), "different answer"), order)}
}

func votesIn(result contract.Result) int {
	sum := 0
	for _, vote := range result.Votes {
		sum += vote.Votes
	}
	return sum
}

// chairStory says whether a chair wrote the final answer. If no chair was wanted, it says nothing.
func chairStory(result contract.Result) []string {
	switch {
	case !result.Synthesis.Wanted:
		return nil
	case result.Synthesis.Text != nil:
		return []string{"The chair wrote the final answer from the ranked proposals."}
	case result.ChairFailure != nil:
		return []string{fmt.Sprintf("The chair wrote no final answer, so the best proposal stands: %s: %s",
			result.ChairFailure.ErrorType, sentence(result.ChairFailure.Message))}
	}
	return []string{"The chair wasn't asked for a final answer, so the best proposal stands."}
}

// Phases returns the kinds of the turns that the timeline shows, in the order in which they first come.
func (r Report) Phases() []domain.PhaseKind {
	return slices.DeleteFunc(domain.PhaseKinds(), func(kind domain.PhaseKind) bool {
		return !slices.ContainsFunc(r.Turns, func(turn runs.PastTurn) bool { return turn.Phase == kind })
	})
}
