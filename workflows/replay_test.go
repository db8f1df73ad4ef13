package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// TestReplay_EveryRecordedHistoryStillRuns replays what deliberations did before. A file is never
// deleted while such a run can be open. The environment can't be read: a replay needs none.
func TestReplay_EveryRecordedHistoryStillRuns(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*"+fakes.HistorySuffix))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			require.NoError(t, replayed(fakes.ReadHistory(t, file), func(to workflows.Registry) { workflows.Register(to, broken{}) }))
		})
	}
}

// TestReplay_AResetRunsUnderAnotherRunID replays histories as a reset does: what a run records must not
// name the run.
func TestReplay_AResetRunsUnderAnotherRunID(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "histories", "*"+fakes.HistorySuffix))
	require.NoError(t, err)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer, broken{})
			history := fakes.ReadHistory(t, file)
			started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
			require.NoError(t, replayer.ReplayWorkflowHistoryWithOptions(fakes.SilentLogger(), history, worker.ReplayWorkflowHistoryOptions{
				OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: "01900000-0000-7000-8000-000000000000"},
			}))
		})
	}
}

// replayed runs a history again under its own workflow id: the turns' ids are derived from it.
func replayed(history *historypb.History, register func(workflows.Registry)) error {
	replayer := worker.NewWorkflowReplayer()
	register(replayer)
	started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(fakes.SilentLogger(), history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}

// TestReplay_NoticesOtherCommands shows that a replay which passes says something.
func TestReplay_NoticesOtherCommands(t *testing.T) {
	history := fakes.ReadHistory(t, filepath.Join("testdata", "histories", "happy"+fakes.HistorySuffix))
	err := replayed(history, func(to workflows.Registry) {
		another := func(ctx workflow.Context, _ contract.Request) error {
			return workflow.Sleep(ctx, 1)
		}
		to.RegisterWorkflowWithOptions(another, workflow.RegisterOptions{Name: contract.DeliberationName})
	})
	require.ErrorContains(t, err, "TMPRL1100")
}
