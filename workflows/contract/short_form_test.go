package contract_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func record(t *testing.T, kind domain.EventKind, data any) contract.EventRecord {
	t.Helper()
	made, err := contract.EventRecord{ID: domain.EventID("plan/7", "run", 3, kind), Kind: kind, DeliberationID: "plan/7"}.WithData(data)
	require.NoError(t, err)
	return made
}

func TestShortForm_OfACompletedDeliberationIsItsScoreboard(t *testing.T) {
	long := strings.Repeat("long ", 1000)
	whole := record(t, domain.EventCompleted, contract.Result{
		DeliberationID: "plan/7", TaskID: "T-42", Status: domain.StatusCompleted, RankingBasis: domain.RankedBySelf,
		Results: []contract.AgentResult{
			{Rank: 1, AgentProposal: contract.AgentProposal{AgentID: "a", Proposal: long, Score: 0.8}},
			{Rank: 2, AgentProposal: contract.AgentProposal{AgentID: "b", Proposal: long, Score: 0.3}},
		},
		TotalAgents: 2, CompletedAgents: 2, AverageScore: 0.55, ExecutionTimeMS: 7,
	})

	shortened := whole.ShortForm()

	require.JSONEq(t, `{"deliberation_id":"plan/7","task_id":"T-42","status":"completed","ranking_basis":"self","degraded":false,
		"scores":[{"rank":1,"agent_id":"a","score":0.8},{"rank":2,"agent_id":"b","score":0.3}],
		"total_agents":2,"completed_agents":2,"failed_agents":0,"average_score":0.55,"execution_time_ms":7,
		"result_ref":{"workflow_id":"plan/7","run_id":"run"}}`, string(shortened.Data))
	shortened.Data = whole.Data
	require.Equal(t, whole, shortened, "it is the same event")
}

func TestShortForm_OfAnotherEventLeavesOutItsLongTexts(t *testing.T) {
	whole := record(t, domain.EventAgentCompleted, contract.AgentCompletedEvent{
		DeliberationID: "plan/7", AgentProposal: contract.AgentProposal{AgentID: "a", Proposal: strings.Repeat("long ", 1000), Reasoning: "short", Score: 0.8},
	})

	var seen struct {
		contract.AgentCompletedEvent
		Omitted   []string           `json:"omitted"`
		ResultRef contract.ResultRef `json:"result_ref"`
	}
	require.NoError(t, json.Unmarshal(whole.ShortForm().Data, &seen))

	require.Equal(t, []string{"proposal"}, seen.Omitted)
	require.Equal(t, contract.ResultRef{WorkflowID: "plan/7", RunID: "run"}, seen.ResultRef)
	require.Empty(t, seen.Proposal)
	require.Equal(t, "short", seen.Reasoning)
	require.InDelta(t, 0.8, seen.Score, 0)
}

func TestShortForm_LeavesShortAndShortenedAndBrokenEvents(t *testing.T) {
	short := record(t, domain.EventCompleted, contract.Result{Results: []contract.AgentResult{{AgentProposal: contract.AgentProposal{AgentID: "a", Score: 0.8}}}})
	require.Equal(t, short, short.ShortForm())

	scores := make([]contract.EventScore, 100)
	shortened := record(t, domain.EventCompleted, contract.ScoreboardEvent{Scores: scores})
	require.Equal(t, shortened, shortened.ShortForm(), "its scores stay")

	broken := contract.EventRecord{Kind: domain.EventFailed, Data: []byte(`{"message":"` + strings.Repeat("x", 2000))}
	require.Equal(t, broken, broken.ShortForm())
}

func TestWithData_IsInShortFormBeyondHalfAMebibyte(t *testing.T) {
	event := contract.AgentCompletedEvent{AgentProposal: contract.AgentProposal{Proposal: strings.Repeat("x", contract.MaxEvent-1000)}}
	require.Contains(t, string(record(t, domain.EventAgentCompleted, event).Data), "xxx")

	event.Proposal += strings.Repeat("x", 1000)
	require.NotContains(t, string(record(t, domain.EventAgentCompleted, event).Data), "xxx")
	require.Less(t, len(record(t, domain.EventAgentCompleted, event).Data), 1000)
}
