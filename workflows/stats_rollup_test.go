package workflows_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

func TestStats_CountOnFromWhatIsRolledUp(t *testing.T) {
	s := newStage(t)
	before := rolledUp(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	first, second := counted(1, 1), counted(2, 1)
	second.Value.RollUp.Completed = 42
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{first, {Err: fakes.Fatal("Lost")}, second}

	next := s.statistics(contract.StatsState{RollUp: before}, 40*time.Second)

	require.Equal(t, before, s.Visibility.Asked[0].RollUp)
	for _, asked := range s.Visibility.Asked[1:3] {
		require.Equal(t, first.Value.RollUp, asked.RollUp, "only a result changes the roll-up")
	}
	require.Equal(t, second.Value.RollUp, next.RollUp)
	require.Equal(t, int64(2), next.Last.Stats.Total)
	require.Zero(t, next.Last.RollUp, "the state has it once")
}

func TestStats_TheFirstCountMayTakeAnHour(t *testing.T) {
	for name, test := range map[string]struct {
		state contract.StatsState
		most  time.Duration
	}{
		"the first":               {contract.StatsState{}, time.Hour},
		"the first of an old run": {contract.StatsState{Since: time.Unix(1, 0), Last: contract.CountResult{AsOf: time.Unix(2, 0)}}, time.Hour},
		"one after a long time":   {contract.StatsState{RollUp: rolledUp(time.Now().Add(-6 * time.Minute))}, time.Hour},
		"another":                 {contract.StatsState{RollUp: rolledUp(time.Now().Add(-4 * time.Minute))}, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0)}
			var within time.Duration
			s.started = func(info *activity.Info) { within = cmp.Or(within, info.ScheduleToCloseTimeout) }
			s.statistics(test.state, time.Second)
			require.Equal(t, test.most, within)
		})
	}
}

func TestLastStats_ReadsTheLastCountFromHistory(t *testing.T) {
	history := fakes.ReadHistory(t, filepath.Join("testdata", "histories", "stats_continued"+fakes.HistorySuffix))
	events := history.GetEvents()
	for name, test := range map[string]struct {
		events []*historypb.HistoryEvent
		total  int64
	}{
		"counted":         {events, 3},
		"not yet counted": {events[:8], 0},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := runs.LastStats(t.Context(), pastRun{Events: test.events}, workflow.Execution{ID: contract.StatsID})
			require.NoError(t, err)
			require.Equal(t, events[0].GetEventTime().AsTime(), state.Since)
			require.Equal(t, test.total, state.Last.Stats.Total)
			require.Len(t, state.Last.Jobs, int(min(1, test.total)))
		})
	}
}

func TestLastStats_ReportsThatAHistoryIsGone(t *testing.T) {
	_, err := runs.LastStats(t.Context(), pastRun{Err: errors.New("gone")}, workflow.Execution{ID: contract.StatsID})
	require.ErrorContains(t, err, "gone")
}

// pastRun is the history of one run, or the error of reading it. A reader gets it for every run id.
type pastRun struct {
	Events []*historypb.HistoryEvent
	Err    error
}

// GetWorkflowHistory reads the history from its beginning.
func (p pastRun) GetWorkflowHistory(
	context.Context, string, string, bool, enumspb.HistoryEventFilterType,
) client.HistoryEventIterator {
	return &fakes.Events{Events: p.Events, Err: p.Err}
}
