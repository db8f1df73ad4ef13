package statistics_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"deliberation.io/deliberation/activities/statistics"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// fakeTemporal has at most one DeliberationStats.
type fakeTemporal struct {
	run     string // empty: it was never started
	closed  bool
	state   contract.StatsState // it began with
	counted *contract.CountResult
	errs    []error
	started []client.StartWorkflowOptions
}

func (f *fakeTemporal) fails() error {
	if len(f.errs) == 0 {
		return nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

func (f *fakeTemporal) DescribeWorkflowExecution(context.Context, string, string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	if f.run == "" {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	info := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: contract.StatsID, RunId: f.run}}
	if f.closed {
		info.CloseTime = timestamppb.Now()
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	f.started = append(f.started, options)
	f.closed, f.run, f.counted = false, "new", nil
	f.state, _ = args[0].(contract.StatsState)
	return nil, nil //nolint:nilnil // nobody looks at the run
}

func (f *fakeTemporal) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	begun := &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(f.state)}
	events := []*historypb.HistoryEvent{{
		EventTime:  timestamppb.New(time.Unix(1, 0)),
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: begun},
	}}
	if f.counted != nil {
		ended := &historypb.ActivityTaskCompletedEventAttributes{Result: payloads(*f.counted)}
		events = append(events, &historypb.HistoryEvent{
			Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: ended},
		})
	}
	return &fakes.Events{Events: events}
}

func payloads(value any) *commonpb.Payloads {
	encoded, err := converter.GetDefaultDataConverter().ToPayloads(value)
	if err != nil {
		panic(err)
	}
	return encoded
}

// keepFor keeps the statistics for a while, and returns what was logged.
func keepFor(t *testing.T, temporal *fakeTemporal, life time.Duration) string {
	t.Helper()
	log := &bytes.Buffer{}
	ctx, cancel := context.WithTimeout(t.Context(), life)
	defer cancel()
	statistics.Keeper{Temporal: temporal, TaskQueue: "ours", Log: slog.New(slog.NewTextHandler(log, nil))}.Keep(ctx)
	return log.String()
}

var rolledBefore = &contract.CountResult{RollUp: contract.RollUp{Watermark: time.Unix(9, 0).UTC(), Completed: 7}}

func TestKeeper_StartsTheStatisticsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{}

		log := keepFor(t, temporal, time.Hour)

		require.Len(t, temporal.started, 1)
		require.Equal(t, "ours", temporal.started[0].TaskQueue)
		require.Equal(t, contract.StatsState{}, temporal.state)
		require.Empty(t, log)
	})
}

func TestKeeper_TriesUntilTemporalTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		temporal := &fakeTemporal{errs: []error{away, nil, away, away, nil, away, nil}}

		log := keepFor(t, temporal, 4*time.Minute)

		require.Len(t, temporal.started, 1)
		require.Contains(t, log, "statistics not started; deliberations run without")
	})
}

func TestKeeper_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{}
		for range 10_000 {
			temporal.errs = append(temporal.errs, errors.New("away"))
		}

		keepFor(t, temporal, time.Hour)

		require.Empty(t, temporal.started)
		require.Greater(t, len(temporal.errs), 9900, "it tries more and more slowly")
	})
}

func TestKeeper_GoesOnFromTheLastCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{run: "old", closed: true, counted: rolledBefore}

		keepFor(t, temporal, time.Hour)

		require.Len(t, temporal.started, 1)
		require.Equal(t, "ours", temporal.started[0].TaskQueue)
		require.Equal(t, rolledBefore.RollUp, temporal.state.RollUp)
		require.Equal(t, time.Unix(1, 0).UTC(), temporal.state.Since)
	})
}

func TestKeeper_LeavesStatisticsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{run: "theirs", counted: rolledBefore}

		keepFor(t, temporal, time.Hour)

		require.Empty(t, temporal.started)
	})
}
