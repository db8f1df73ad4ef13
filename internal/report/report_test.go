package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/report"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

var update = flag.Bool("update", false, "write the golden files")

// source is a reviewed deliberation of three agents and two rounds of review, with its turns.
func source(t *testing.T) report.Source {
	t.Helper()
	var recorded struct {
		Task   string           `json:"task"`
		Result contract.Result  `json:"result"`
		Places map[string][]int `json:"places"`
		Turns  []runs.PastTurn  `json:"turns"`
	}
	text, err := os.ReadFile("testdata/reviewed.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &recorded))
	return report.Source{
		Task: recorded.Task, Role: "DEV", Result: recorded.Result, Places: recorded.Places, Turns: recorded.Turns, Status: recorded.Result.Status,
		Written: time.Date(2026, 11, 26, 22, 0, 0, 0, time.UTC),
	}
}

func written(t *testing.T, of report.Source, format string) string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.Of(of).Write(&page, format))
	return page.String()
}

func TestAReviewedDeliberationInEveryFormat(t *testing.T) {
	for _, format := range report.Formats {
		t.Run(format, func(t *testing.T) {
			page, file := written(t, source(t), format), "testdata/reviewed.golden."+format
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(page), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), page)
		})
	}
}

func TestDissentIsWhatTheMinorityHeldInTheLastRound(t *testing.T) {
	told := report.Of(source(t))
	require.Len(t, told.Dissent, 1)
	require.Equal(t, "agent-dev-003", told.Dissent[0].ReviewerID)
	require.Equal(t, "agent-dev-002", told.Dissent[0].Favourite)
	require.Equal(t, 2, told.Dissent[0].Place)
	require.NotEmpty(t, told.Dissent[0].OnWinner)
}

func TestAJudgeIsOneReviewerWhoAgreesWithNobody(t *testing.T) {
	of := source(t)
	result := &of.Result
	result.Reviews = result.Reviews[1:2] // of an agent that put the winner first
	result.Reviews[0].ReviewerID = domain.JudgeID
	result.Revisions, result.StopReason = nil, domain.StopAgreement
	result.Review = &contract.ReviewSummary{Rounds: 1, Reviews: 1}
	require.Equal(t, []string{
		"4 of 4 agents gave a proposal.", "The judge wrote 1 usable review in 1 round.",
		"agent-dev-001 came first in the only ranking of the last round that could name it.", "One reviewer disagreed or had a blocking issue.",
		"It stopped because nothing blocks the proposal that the judge put first.",
	}, report.Of(of).Story)
}

func TestTheLastRoundsCritiquesAreShownOnce(t *testing.T) {
	of := source(t)
	proposals := report.Of(of).Proposals
	for _, proposal := range proposals {
		require.Len(t, proposal.Said, 3, proposal.AgentID)
	}
	require.Equal(t, "Nobody has tested the fallback under load", proposals[0].Said[1].Blocking[0])

	of.Result.Reviews = of.Result.Reviews[:4] // the council stopped before the second round
	for _, proposal := range report.Of(of).Proposals {
		require.Empty(t, proposal.Said, "the revision has them")
		require.NotEmpty(t, proposal.Revisions[0].Critiques)
	}
	of.Result.Revisions = nil
	require.Len(t, report.Of(of).Proposals[0].Said, 3)
}

func TestTheChangesOfARevisionGiveBothTexts(t *testing.T) {
	of := source(t)
	for _, proposal := range report.Of(of).Proposals {
		for i, revision := range proposal.Revisions {
			before, after := "", ""
			for _, change := range revision.Changes {
				if change.Kind != "added" {
					before += change.Text
				}
				if change.Kind != "removed" {
					after += change.Text
				}
			}
			if revision.Fate == domain.RevisionReplaced && i == len(proposal.Revisions)-1 {
				require.Equal(t, proposal.Text, after)
				require.NotEqual(t, before, after)
			} else if revision.Fate == domain.RevisionKept {
				require.Equal(t, proposal.Text, before)
			}
			require.NotEmpty(t, revision.Critiques, proposal.AgentID)
		}
	}
}

// What a model, a caller or a reviewer writes must stay text, whatever it is.
func TestHostileTextStaysText(t *testing.T) {
	const hostile = "<script>alert(1)</script>\x1b[31m\u202egnp.exe\u009b2J\x00 ``` [x](javascript:alert(1)) | **bold**"
	of := source(t)
	of.Task, of.Role = hostile, hostile
	result := &of.Result
	result.DeliberationID = hostile
	for i := range result.Results {
		result.Results[i].Proposal, result.Results[i].Reasoning, result.Results[i].Model = hostile, hostile, hostile
	}
	result.BestResult = &result.Results[0]
	for i := range result.Reviews {
		for j := range result.Reviews[i].Notes {
			note := &result.Reviews[i].Notes[j]
			note.Critique, note.Blocking = hostile, []string{hostile}
		}
	}
	for i := range of.Turns {
		of.Turns[i].Why = hostile
	}
	of.Result.Failures = []contract.AgentFailure{{AgentID: hostile, Message: hostile}}
	for _, format := range report.Formats {
		page := written(t, of, format)
		require.NotContains(t, page, "\x1b", format)
		require.NotContains(t, page, "\u202e", format)
		require.NotContains(t, page, "\u009b", format)
		require.NotContains(t, page, "\x00", format)
	}
	require.NotContains(t, written(t, of, "html"), "<script")
	unescaped := regexp.MustCompile(`\\.`).ReplaceAllString(outsideFences(written(t, of, "md")), "")
	for line := range strings.Lines(unescaped) {
		require.NotContains(t, line, "<", line)
		require.NotContains(t, line, "](", line)
		require.NotContains(t, line, "**bold", line)
	}
}

// A person waits for the page, however long the texts are.
func TestLongTextsAreComparedInTime(t *testing.T) {
	distinct := func(of string, n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "%s%d ", of, i)
		}
		return text.String()
	}
	for name, texts := range map[string][2]string{
		"different words":     {distinct("a", 9000), distinct("b", 9000)},
		"the same few words":  {strings.Repeat("a b ", 16<<10), "x" + strings.Repeat("b a c ", 10<<10)},
		"different lines":     {strings.ReplaceAll(distinct("a", 9000), " ", "\n"), strings.ReplaceAll(distinct("b", 9000), " ", "\n")},
		"marks without words": {strings.Repeat("!?", 32<<10), strings.Repeat("?!!", 21<<10)},
		"one long word":       {strings.Repeat("a", 64<<10), strings.Repeat("b", 64<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			of := source(t)
			result := &of.Result
			result.Results = result.Results[:1]
			result.Results[0].Proposal = texts[0]
			result.Revisions = nil
			for round := range 3 {
				result.Revisions = append(result.Revisions, contract.RevisionRecord{
					AgentID: result.Results[0].AgentID, Round: round + 1, Fate: domain.RevisionKept, Other: &contract.VersionText{Proposal: texts[1]},
				})
			}
			began := time.Now()
			proposals := report.Of(of).Proposals
			require.Less(t, time.Since(began), 3*time.Second)
			before, after := "", ""
			for _, change := range proposals[0].Revisions[0].Changes {
				if change.Kind != "added" {
					before += change.Text
				}
				if change.Kind != "removed" {
					after += change.Text
				}
			}
			require.True(t, texts[0] == before && texts[1] == after, "nothing is lost")
		})
	}
}

// outsideFences is a Markdown text without its fenced blocks.
func outsideFences(page string) string {
	var out strings.Builder
	fence := ""
	for line := range strings.Lines(page) {
		trimmed := strings.TrimSuffix(line, "\n")
		switch {
		case fence == "" && strings.HasPrefix(trimmed, "```"):
			fence = trimmed
		case fence != "" && trimmed == fence:
			fence = ""
		case fence == "":
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestACostIsShownWhereThereIsOne(t *testing.T) {
	of := source(t)
	require.NotContains(t, written(t, of, "html"), "Cost by")
	cost := 0.0425
	of.Result.Usage.Cost = &cost
	require.Contains(t, written(t, of, "html"), "Cost by the configured prices: <strong>0.0425</strong>")
	require.Contains(t, written(t, of, "md"), "Cost by the configured prices: 0.0425")
}

// Each history that workflows leave has a report that says how the run ended or where it is.
func TestEveryHistoryHasAReport(t *testing.T) {
	for name, want := range map[string]string{
		"reviewed": " won", "happy": "Nobody reviewed the proposals", "all_fail": "Failed: there is no decision",
		"cancelled": "Cancelled before a decision", "cancelled_in_review": "Cancelled before a decision",
		"voted": "of 3 votes", "synthesized": "The final answer, by the chair", "chair_failed": "The chair wrote no final answer",
		"reviews_failed": "no review could be used", "invalid_request": "InvalidRequest", "deadline_without_quorum": "Failed: ",
	} {
		t.Run(name, func(t *testing.T) {
			timeline := runs.NewTimeline()
			for _, event := range fakes.ReadHistory(t, filepath.Join("..", "..", "workflows", "testdata", "histories", name+fakes.HistorySuffix)).GetEvents() {
				timeline.Take(event)
			}
			of, err := report.SourceOf("id", timeline, time.Now())
			require.NoError(t, err)
			for _, format := range []string{"html", "md"} {
				page := strings.NewReplacer("&#39;", "'").Replace(written(t, of, format))
				require.Contains(t, page, want, format)
			}
		})
	}
}

func TestGivenProposalsAreRankedByTheirReviews(t *testing.T) {
	timeline := runs.NewTimeline()
	for _, event := range fakes.ReadHistory(t, "../../workflows/testdata/histories/given_proposals"+fakes.HistorySuffix).GetEvents() {
		timeline.Take(event)
	}
	of, err := report.SourceOf("id", timeline, time.Now())
	require.NoError(t, err)
	for format, points := range map[string]string{"html": `<th class="n">Points</th>`, "md": "| points |"} {
		page := written(t, of, format)
		require.Contains(t, page, points, "nobody scored the proposals before the reviews, which rank them all the same")
		require.Contains(t, page, "3 proposals came with the request.")
		require.NotContains(t, page, "()", "no model made a given proposal")
	}
}

func TestARunThatGoesOnSaysSo(t *testing.T) {
	timeline := runs.NewTimeline()
	events := fakes.ReadHistory(t, "../../workflows/testdata/histories/reviewed"+fakes.HistorySuffix).GetEvents()
	for _, event := range events[:len(events)-1] {
		timeline.Take(event)
	}
	of, err := report.SourceOf("id", timeline, events[len(events)-1].GetEventTime().AsTime())
	require.NoError(t, err)
	page := written(t, of, "html")
	require.Contains(t, page, "Still running, in phase review, round 2: nothing is decided yet")
	require.Contains(t, page, `id="reviews"`)
	require.NotContains(t, page, `id="decision"`)
}
