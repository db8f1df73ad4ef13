package main

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestAReviewedResultShowsWhoRankedIt(t *testing.T) {
	var out bytes.Buffer
	(&cli{stdout: &out}).printResult(reviewedResult())
	want, err := os.ReadFile("testdata/reviewed.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestFailedReviewsAreSaidBesideTheAgentsOwnRanking(t *testing.T) {
	result := reviewedResult()
	result.RankingBasis, result.StopReason, result.Revisions = domain.RankedBySelf, domain.StopReviewsFailed, nil
	result.Review = &contract.ReviewSummary{Rounds: 1, Failed: 3}
	for i := range result.Results {
		result.Results[i].Judged, result.Results[i].OwnScore = nil, nil
	}
	result.BestResult = &result.Results[0]
	var out bytes.Buffer
	(&cli{stdout: &out}).printResult(result)
	require.Contains(t, out.String(), "\n#  SCORE  AGENT ")
	require.Contains(t, out.String(), "\n  0 usable reviews in 1 round, 3 failed; Kendall's W isn't defined")
	require.Contains(t, out.String(), "\n  stopped: no review could be used, so the agents' own scores rank\n")
	require.NotContains(t, out.String(), "Revisions")

	result.RankingBasis = domain.RankedByPeers
	out.Reset()
	(&cli{stdout: &out}).printResult(result)
	require.Contains(t, out.String(), "\n  stopped: no review of the last round could be used, so earlier ones rank\n")
}

func TestAJudgeHasNobodyToAgreeWith(t *testing.T) {
	result := reviewedResult()
	result.StopReason, result.Review = domain.StopAgreement, &contract.ReviewSummary{Rounds: 1, Reviews: 1}
	result.Reviews = []contract.ReviewRecord{{Round: 1, ReviewerID: domain.JudgeID}}
	var out bytes.Buffer
	(&cli{stdout: &out}).printResult(result)
	require.Contains(t, out.String(), "\n  1 usable review in 1 round, 0 failed\n  stopped: nothing blocks the proposal that the judge put first\n")
}

// reviewedResult is a council of three whose winner has a lower score than the second.
func reviewedResult() contract.Result {
	own, w := 0.9, 0.78
	ranked := func(rank int, agent string, score, points float64, reviews int) contract.AgentResult {
		proposal := contract.AgentProposal{
			AgentID: agent, Role: "DEV", Model: "m", Proposal: "Use a token bucket\nby " + agent, Score: score, Attempts: 1, DurationMS: 1200,
		}
		judged := &contract.Judgement{Points: points, Reviews: reviews}
		return contract.AgentResult{Rank: rank, AgentProposal: proposal, OwnScore: &own, Judged: judged}
	}
	results := []contract.AgentResult{ranked(1, "a", 0.71, 0.75, 2), ranked(2, "b", 0.75, 0.5, 2), ranked(3, "c", 0, 0, 0)}
	results[1].Judged.Blocked = true
	return contract.Result{
		DeliberationID: "deliberation-T-1", TaskID: "T-1", Status: domain.StatusCompleted, RankingBasis: domain.RankedByPeers,
		BestResult: &results[0], Results: results, TotalAgents: 3, CompletedAgents: 3, AverageScore: 0.49,
		StopReason: domain.StopRounds, ExecutionTimeMS: 61_200,
		Usage: contract.TotalUsage{
			PromptTokens: 170, CompletionTokens: 90, LLMCalls: 12, WastedTokens: 3,
			ByPhase: map[domain.PhaseKind]contract.PhaseUsage{
				domain.Propose:    {PromptTokens: 30, CompletionTokens: 45, LLMCalls: 3},
				domain.PeerReview: {PromptTokens: 100, CompletionTokens: 15, LLMCalls: 6},
				domain.Revise:     {PromptTokens: 40, CompletionTokens: 30, LLMCalls: 3},
			},
		},
		Review: &contract.ReviewSummary{Rounds: 2, Reviews: 5, Failed: 1, KendallW: &w, Note: "a is first by the reviewers' rankings"},
		Reviews: []contract.ReviewRecord{
			{Round: 2, ReviewerID: "c", ErrorType: domain.InvalidOutput, Message: "no ranking"},
		},
		Revisions: []contract.RevisionRecord{
			{Round: 1, AgentID: "a", Fate: domain.RevisionReplaced},
			{Round: 1, AgentID: "b", Fate: domain.RevisionKept},
			{Round: 1, AgentID: "c", Fate: domain.RevisionFailed, ErrorType: domain.Truncated, Message: "cut off"},
		},
	}
}
