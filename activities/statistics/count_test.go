package statistics_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/activities/statistics"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// testWorker is a worker that counts.
type testWorker struct {
	t        *testing.T
	temporal statistics.Temporal
	memos    converter.DataConverter // nil: the SDK's default
	beats    fakes.Heartbeats
}

// try runs one attempt of the activity, as a worker registers it.
func (w *testWorker) try(from contract.RollUp) (contract.CountResult, error) {
	w.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{&w.beats}})
	activities.Register(activities.Workers{Main: env, Submit: env, Wait: env}, activities.Dependencies{Temporal: w.temporal, DataConverter: w.memos})
	var out contract.CountResult
	encoded, err := env.ExecuteActivity(workflows.CountDeliberations.Name(), contract.CountInput{RollUp: from})
	if err == nil {
		require.NoError(w.t, encoded.Get(&out))
	}
	return out, err
}

func tryCount(w *testWorker) (contract.CountResult, error) { return w.try(contract.RollUp{}) }

// tryCountFrom counts as any worker would. Only the roll-up goes from one count to the next.
func tryCountFrom(t *testing.T, visibility statistics.Temporal, from contract.RollUp) contract.CountResult {
	t.Helper()
	out, err := (&testWorker{t: t, temporal: visibility}).try(from)
	require.NoError(t, err)
	return out
}

func newCounted(t *testing.T) (*testWorker, *fakeVisibility) {
	t.Helper()
	visibility := &fakeVisibility{page: 2}
	return &testWorker{t: t, temporal: visibility}, visibility
}

func TestCountDeliberations_CountsEveryStatusOverAllPages(t *testing.T) {
	w, visibility := newCounted(t)
	next := 0
	for status, n := range map[string]int{"Running": 5, "Completed": 4, "Failed": 3, "Canceled": 2, "Terminated": 1, "TimedOut": 1} {
		for i := range n {
			next++
			if run := visibility.starts(next); status != "Running" {
				ends(run, status, time.Duration(i+1)*time.Second)
			}
		}
	}

	out, err := tryCount(w)

	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), out.AsOf, time.Minute)
	require.Equal(t, contract.Stats{
		Total: 16, Active: 5, Completed: 4, Failed: 5, Cancelled: 2, TimedOut: 1, Terminated: 1,
		AverageMS: 2500, P50MS: out.Stats.P50MS, P95MS: out.Stats.P95MS, AsOf: out.AsOf, // over the completed: 1, 2, 3 and 4 s
	}, out.Stats)
	require.InEpsilon(t, 2000, out.Stats.P50MS, 0.01)
	require.InEpsilon(t, 4000, out.Stats.P95MS, 0.01)
	require.Len(t, out.Jobs, 5)
	require.Len(t, visibility.queries, 2)
	beats := map[any]int{}
	for _, beat := range w.beats.Recorded {
		beats[beat]++
	}
	require.Equal(t, map[any]int{"running": 3, "ended": 6, "terminated": 1}, beats, "one for each page and for each look at a history")
}

func TestCountDeliberations_CountsNothingAsNothing(t *testing.T) {
	w, _ := newCounted(t)

	out, err := tryCount(w)

	require.NoError(t, err)
	require.Equal(t, contract.Stats{AsOf: out.AsOf}, out.Stats)
	require.Empty(t, out.RollUp.Seen)
	require.NotNil(t, out.Jobs)
	require.Empty(t, out.Jobs)
}

func TestCountDeliberations_ARunThatEndsMeanwhileIsCountedOnce(t *testing.T) {
	for _, ending := range []string{"Completed", "Failed", "Canceled", "Terminated", "TimedOut"} {
		for _, before := range []string{whatRuns, whatEnded} {
			t.Run(ending+" before what is "+before+" is listed", func(t *testing.T) {
				w, visibility := newCounted(t)
				visibility.starts(1)
				run := visibility.starts(2)
				visibility.before = func(list string) {
					if list == before {
						ends(run, ending, time.Second)
					}
				}

				out, err := tryCount(w)

				require.NoError(t, err)
				require.Equal(t, int64(2), out.Stats.Total)
				require.Equal(t, out.Stats.Active, int64(len(out.Jobs)))
				ended := out.Stats.Completed + out.Stats.Failed + out.Stats.Cancelled
				require.Equal(t, int64(2), out.Stats.Active+ended)
			})
		}
	}
}

func TestCountDeliberations_ARunThatBeginsMeanwhileIsNotCountedTwice(t *testing.T) {
	w, visibility := newCounted(t)
	visibility.before = func(list string) {
		if list == whatEnded {
			ends(visibility.starts(1), "Completed", time.Second)
			visibility.starts(2)
		}
	}

	out, err := tryCount(w)

	require.NoError(t, err)
	require.Equal(t, int64(1), out.Stats.Total)
	require.Zero(t, out.Stats.Active)
}

func TestCountDeliberations_ListsTheNewestFiveHundredAndCountsAll(t *testing.T) {
	w, visibility := newCounted(t)
	visibility.page = 100
	for n := range 700 {
		visibility.starts(n)
	}
	visibility.before = func(list string) {
		if list == whatEnded { // runs that end in between let older ones move up
			ends(visibility.runs[699], "Completed", time.Second)
			ends(visibility.runs[500], "Completed", time.Second)
		}
	}

	out, err := tryCount(w)

	require.NoError(t, err)
	require.Equal(t, int64(698), out.Stats.Active)
	require.Len(t, out.Jobs, 500)
	require.Equal(t, contract.ActiveJob{
		WorkflowID: "deliberation-T-698", RunID: "run-698", TaskID: "T-698", Role: "DEV", Start: dawn.Add(698 * time.Second),
	}, out.Jobs[0])
	require.Equal(t, "run-198", out.Jobs[499].RunID)
}

func TestCountDeliberations_ShowsNothingOfAMemoThatIsNotOurs(t *testing.T) {
	for name, change := range map[string]func(*workflowpb.WorkflowExecutionInfo){
		"none":             func(run *workflowpb.WorkflowExecutionInfo) { run.Memo = nil },
		"without our keys": func(run *workflowpb.WorkflowExecutionInfo) { run.Memo = memo(map[string]any{"x": 1}) },
		"of another shape": func(run *workflowpb.WorkflowExecutionInfo) {
			run.Memo = memo(map[string]any{contract.MemoTaskID: 7, contract.MemoRole: []string{"DEV"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, visibility := newCounted(t)
			change(visibility.starts(1))

			out, err := tryCount(w)

			require.NoError(t, err)
			require.Len(t, out.Jobs, 1)
			require.Equal(t, "deliberation-T-1", out.Jobs[0].WorkflowID)
			require.Empty(t, out.Jobs[0].TaskID)
			require.Empty(t, out.Jobs[0].Role)
		})
	}
}

func TestCountDeliberations_SurvivesClocksThatDisagree(t *testing.T) {
	w, visibility := newCounted(t)
	ends(visibility.starts(1), "Completed", -time.Second)
	ends(visibility.starts(2), "Completed", 3*time.Second)
	unclosed := visibility.starts(3)
	unclosed.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED

	out, err := tryCount(w)

	require.NoError(t, err)
	require.Equal(t, int64(3), out.Stats.Completed)
	require.InDelta(t, 1000, out.Stats.AverageMS, 0.001)
}

func TestCountDeliberations_CountsOnlyDeliberations(t *testing.T) {
	w, visibility := newCounted(t)

	_, err := tryCount(w)

	require.NoError(t, err)
	require.Len(t, visibility.queries, 2)
	for _, query := range visibility.queries {
		require.Contains(t, query, "WorkflowType='Deliberation' AND ")
	}
}

func TestCountDeliberations_IsTriedAgainWhenVisibilityIsAway(t *testing.T) {
	w, visibility := newCounted(t)
	visibility.err = errors.New("unavailable")

	_, err := tryCount(w)

	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "Internal", failure.Type())
	require.False(t, failure.NonRetryable())
}
