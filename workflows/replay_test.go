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

// The environment of this test can't be read, since a replay must not read it. After the first release, no recorded
// history is deleted while such a run can be open.
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

// A reset replays a history under another run id, so no recorded command may depend on the run id.
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

// replayed replays a history under its own workflow id, from which the ids of the turns are derived.
func replayed(history *historypb.History, register func(workflows.Registry)) error {
	replayer := worker.NewWorkflowReplayer()
	register(replayer)
	started := history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes()
	return replayer.ReplayWorkflowHistoryWithOptions(fakes.SilentLogger(), history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: started.GetWorkflowId(), RunID: started.GetOriginalExecutionRunId()},
	})
}

// This test shows that the replay tests can fail.
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
