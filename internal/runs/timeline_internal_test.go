package runs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// A run's result is the workflow's own account of its council. Its history must give the same account.
func TestAHistoryGivesTheSameAccountAsTheResult(t *testing.T) {
	files, err := filepath.Glob("../../workflows/testdata/histories/*" + fakes.HistorySuffix)
	require.NoError(t, err)
	read := 0
	for _, file := range files {
		timeline := NewTimeline()
		for _, event := range fakes.ReadHistory(t, file).GetEvents() {
			timeline.Take(event)
		}
		if timeline.closing == nil {
			continue
		}
		end, err := timeline.Ending("id")
		if err != nil || (end.Status != domain.StatusCompleted && end.Details.DeliberationID == "") {
			continue // another workflow, or a run without a council
		}
		read++
		name := strings.TrimSuffix(filepath.Base(file), fakes.HistorySuffix)
		t.Run(name, func(t *testing.T) {
			requireSameAgents(t, end, timeline.council)
			require.Equal(t, end.Usage(), contract.TotalUsageOf(timeline.council, nil))
		})
	}
	require.Greater(t, read, 10)
}

func requireSameAgents(t *testing.T, end Ending, council domain.Council) {
	t.Helper()
	for _, result := range end.Result.Results {
		seat, isAgent := council.Seat(result.AgentID)
		if !isAgent && result.ProposalID != "" {
			continue // a given proposal of somebody else
		}
		require.Equal(t, domain.AgentCompleted, seat.State(), result.AgentID)
		if result.ProposalID == "" { // a given proposal took none, its revision some
			require.Equal(t, result.Attempts, seat.Result().Attempts(), result.AgentID)
		}
	}
	for _, failure := range append(end.Result.Failures, end.Details.Failures...) {
		seat, _ := council.Seat(failure.AgentID)
		require.NotEqual(t, domain.AgentCompleted, seat.State(), failure.AgentID)
		if failure.ErrorType == domain.StillRunning || failure.ErrorType == domain.DeadlineExceeded {
			continue // the end itself gave it up
		}
		require.Equal(t, domain.AgentFailed, seat.State(), failure.AgentID)
		require.Equal(t, failure.ErrorType, seat.Failure().Kind(), failure.AgentID)
		require.Equal(t, failure.Attempts, seat.Failure().Attempts(), failure.AgentID)
	}
}

func TestACancelledRunSaysWhatItCost(t *testing.T) {
	timeline := NewTimeline()
	for _, event := range fakes.ReadHistory(t, "../../workflows/testdata/histories/cancelled_in_review"+fakes.HistorySuffix).GetEvents() {
		timeline.Take(event)
	}
	end, err := timeline.Ending("id")
	require.NoError(t, err)
	require.Equal(t, domain.StatusCancelled, end.Status)
	require.Equal(t, 2, end.Usage().LLMCalls)
	require.Equal(t, map[domain.PhaseKind]contract.PhaseUsage{
		domain.Propose: {PromptTokens: 20, CompletionTokens: 10, LLMCalls: 2},
	}, end.Usage().Phases(), "as in the memo")
}
