package main

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
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"deliberation.io/deliberation/workflows/contract"
)

// fakeTemporal has at most one DeliberationStats.
type fakeTemporal struct {
	queue      string // where it runs; none: it was never started
	closed     bool
	run        string
	state      contract.StatsState // it began with
	counted    *contract.CountResult
	pollers    int       // of the queue,
	pollersGo  time.Time // zero: never
	errs       []error
	started    []client.StartWorkflowOptions
	terminated []string
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
	if f.queue == "" {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	info := &workflowpb.WorkflowExecutionInfo{Execution: &commonpb.WorkflowExecution{WorkflowId: contract.StatsID, RunId: f.run}}
	if f.closed {
		info.CloseTime = timestamppb.Now()
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: info,
		ExecutionConfig:       &workflowpb.WorkflowExecutionConfig{TaskQueue: &taskqueuepb.TaskQueue{Name: f.queue}},
	}, nil
}

func (f *fakeTemporal) DescribeTaskQueue(_ context.Context, name string, _ enumspb.TaskQueueType) (*workflowservice.DescribeTaskQueueResponse, error) {
	if name != f.queue {
		return nil, errors.New("another queue")
	}
	if !f.pollersGo.IsZero() && time.Now().After(f.pollersGo) {
		return &workflowservice.DescribeTaskQueueResponse{}, nil
	}
	return &workflowservice.DescribeTaskQueueResponse{Pollers: make([]*taskqueuepb.PollerInfo, f.pollers)}, nil
}

func (f *fakeTemporal) TerminateWorkflow(_ context.Context, _, runID, _ string, _ ...any) error {
	f.terminated, f.closed = append(f.terminated, runID), true
	return f.fails()
}

func (f *fakeTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	if err := f.fails(); err != nil {
		return nil, err
	}
	f.started = append(f.started, options)
	f.queue, f.closed, f.run, f.counted = options.TaskQueue, false, "new", nil
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
	return &pastEvents{events}
}

func payloads(value any) *commonpb.Payloads {
	encoded, err := converter.GetDefaultDataConverter().ToPayloads(value)
	if err != nil {
		panic(err)
	}
	return encoded
}

type pastEvents struct{ events []*historypb.HistoryEvent }

func (p *pastEvents) HasNext() bool { return len(p.events) > 0 }

func (p *pastEvents) Next() (*historypb.HistoryEvent, error) {
	next := p.events[0]
	p.events = p.events[1:]
	return next, nil
}

// keepFor keeps the statistics for a while, and gives what was logged.
func keepFor(t *testing.T, temporal *fakeTemporal, life time.Duration) string {
	t.Helper()
	log := &bytes.Buffer{}
	end := meanwhile(t.Context(), statistics{client: temporal, taskQueue: "ours", log: slog.New(slog.NewTextHandler(log, nil))}.keep)
	time.Sleep(life)
	end()
	return log.String()
}

var rolledBefore = &contract.CountResult{RollUp: contract.RollUp{Watermark: time.Unix(9, 0).UTC(), Completed: 7}}

func TestStatistics_AreStartedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{}

		log := keepFor(t, temporal, time.Hour)

		require.Len(t, temporal.started, 1)
		require.Equal(t, "ours", temporal.started[0].TaskQueue)
		require.Equal(t, contract.StatsState{}, temporal.state)
		require.Empty(t, log)
	})
}

func TestStatistics_AreStartedOnceTemporalTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("away")
		temporal := &fakeTemporal{errs: []error{away, nil, away, away, nil, away, nil}}

		log := keepFor(t, temporal, 4*time.Minute)

		require.Len(t, temporal.started, 1)
		require.Contains(t, log, "statistics not started; deliberations run without")
	})
}

func TestStatistics_EndWithTheWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{}
		for range 10_000 {
			temporal.errs = append(temporal.errs, errors.New("away"))
		}

		keepFor(t, temporal, time.Hour)

		require.Empty(t, temporal.started)
		require.Greater(t, len(temporal.errs), 9900, "tried ever more slowly")
	})
}

func TestStatistics_GoOnFromWhatTheyHadComeTo(t *testing.T) {
	for name, c := range map[string]struct {
		there  fakeTemporal
		closed bool // by us
	}{
		"when they were ended":                     {fakeTemporal{queue: "ours", closed: true}, false},
		"when they were ended on another queue":    {fakeTemporal{queue: "theirs", closed: true, pollers: 1}, false},
		"from a queue that nobody polls":           {fakeTemporal{queue: "theirs"}, true},
		"when the worker ended before it had both": {fakeTemporal{queue: "theirs", errs: []error{nil, nil, errors.New("away")}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				temporal := &c.there
				temporal.run, temporal.counted = "old", rolledBefore

				log := keepFor(t, temporal, time.Hour)

				require.Len(t, temporal.started, 1)
				require.Equal(t, "ours", temporal.queue)
				require.Equal(t, rolledBefore.RollUp, temporal.state.RollUp)
				require.Equal(t, time.Unix(1, 0).UTC(), temporal.state.Since)
				if !c.closed {
					require.Empty(t, temporal.terminated)
					return
				}
				require.Equal(t, []string{"old"}, temporal.terminated)
				require.Contains(t, log, "statistics are moved here from a task queue that nobody polls")
				require.Contains(t, log, "from=theirs to=ours")
			})
		})
	}
}

func TestStatistics_StayWhereSomebodyCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		temporal := &fakeTemporal{queue: "theirs", run: "old", pollers: 1, counted: rolledBefore}
		keepFor(t, temporal, 11*time.Minute)
		require.Empty(t, temporal.started)

		temporal.pollersGo = time.Now().Add(12 * time.Minute)
		keepFor(t, temporal, 20*time.Minute)

		require.Equal(t, []string{"old"}, temporal.terminated, "once it is seen that nobody does any more")
		require.Equal(t, "ours", temporal.queue)
	})
}
