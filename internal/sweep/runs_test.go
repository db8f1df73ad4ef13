package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

var (
	begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	over  = begun.Add(90 * time.Second)
)

// fakeRuns is Temporal with the last event of each run, nil while it runs.
type fakeRuns struct {
	last   map[string]*historypb.HistoryEvent // by workflow id
	fails  map[string]error                   // asking about these
	refuse error                              // starting anything
	resets map[string]string                  // original run ids, by workflow id

	mu        sync.Mutex
	announced []contract.OutboxInput
	options   []client.StartWorkflowOptions
	asked     []time.Time
	happened  func(what string)
}

var errAway = errors.New("temporal is away")

func (f *fakeRuns) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, time.Now())
	last, there := f.last[id]
	switch {
	case f.fails[id] != nil:
		return nil, f.fails[id]
	case !there:
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: "run-of-" + id}, StartTime: timestamppb.New(begun),
		Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}
	if last != nil {
		info.CloseTime, info.Status = last.GetEventTime(), statusOf(last)
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

func (f *fakeRuns) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if runID != "run-of-"+id {
		panic("another run is wanted")
	}
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT {
		return &fakes.Events{Events: []*historypb.HistoryEvent{{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{OriginalExecutionRunId: f.resets[id]},
		}}}}
	}
	if f.last[id] == nil {
		return &fakes.Events{}
	}
	return &fakes.Events{Events: []*historypb.HistoryEvent{f.last[id]}}
}

func (f *fakeRuns) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, name any, args ...any) (client.WorkflowRun, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != contract.DeliberationOutboxName {
		return nil, fmt.Errorf("what is %v?", name)
	}
	if f.refuse != nil {
		return nil, f.refuse
	}
	in, _ := args[0].(contract.OutboxInput)
	f.announced, f.options = append(f.announced, in), append(f.options, options)
	if f.happened != nil {
		f.happened("announced")
	}
	return nil, nil //nolint:nilnil // nobody looks at the run
}

func terminated(by, reason string) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventTime: timestamppb.New(over), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
			WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{Identity: by, Reason: reason},
		},
	}
}

func timedOut() *historypb.HistoryEvent {
	return &historypb.HistoryEvent{
		EventTime: timestamppb.New(over), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionTimedOutEventAttributes{
			WorkflowExecutionTimedOutEventAttributes: &historypb.WorkflowExecutionTimedOutEventAttributes{},
		},
	}
}

func bySelf(kind enumspb.EventType) *historypb.HistoryEvent {
	return &historypb.HistoryEvent{EventTime: timestamppb.New(over), EventType: kind}
}

func statusOf(last *historypb.HistoryEvent) enumspb.WorkflowExecutionStatus {
	return map[enumspb.EventType]enumspb.WorkflowExecutionStatus{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:  enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:  enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:     enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:   enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	}[last.GetEventType()]
}

func TestRuns_AnnounceWhatWasEndedFromOutside(t *testing.T) {
	for name, c := range map[string]struct {
		last    *historypb.HistoryEvent
		kind    domain.FailureKind
		message string
	}{
		"terminated":             {terminated("me@here", "enough"), domain.Terminated, "terminated by me@here: enough"},
		"terminated, nobody why": {terminated("", ""), domain.Terminated, "terminated by somebody"},
		"timed out":              {timedOut(), domain.TimedOut, "timed out: the run was longer than its workflow timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			temporal := &fakeRuns{last: map[string]*historypb.HistoryEvent{"d-1": c.last}}

			announceLast(t, Runs{Temporal: temporal, TaskQueue: "q", Events: true}, "d-1")

			require.Equal(t, []client.StartWorkflowOptions{{
				ID: "d-1/outbox/run-of-d-1/outside", TaskQueue: "q", StaticSummary: "events of d-1",
				WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
				WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			}}, temporal.options)
			require.Len(t, temporal.announced, 1)
			require.Len(t, temporal.announced[0].Events, 1)
			event := temporal.announced[0].Events[0]
			require.JSONEq(t, fmt.Sprintf(`{"deliberation_id":"d-1","task_id":"T-1","status":"failed","error_type":%q,"message":%q,
				"failures":[],"execution_time_ms":90000}`, c.kind, c.message), string(event.Data))
			event.Data = nil
			require.Equal(t, contract.EventRecord{
				ID: "d-1/run-of-d-1/outside-failed", Kind: domain.EventFailed, DeliberationID: "d-1", At: over,
			}, event)
		})
	}
}

func TestRuns_AnnounceNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		last   *historypb.HistoryEvent
		events bool
	}{
		"completed":         {bySelf(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED), true},
		"failed":            {bySelf(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED), true},
		"cancelled":         {bySelf(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED), true},
		"reset":             {terminated("history-resetter", "a better day"), true},
		"no events wanted":  {terminated("me", ""), false},
		"nothing known yet": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			temporal := &fakeRuns{last: map[string]*historypb.HistoryEvent{"d-1": c.last}}
			announceLast(t, Runs{Temporal: temporal, Events: c.events}, "d-1")
			require.Empty(t, temporal.announced)
		})
	}
}

// announceLast does what a sweep does with the latest run of a deliberation.
func announceLast(t *testing.T, r Runs, deliberation string) {
	t.Helper()
	latest, _, err := r.latest(t.Context(), deliberation, "run-of-"+deliberation)
	require.NoError(t, err)
	if r.announces(latest) {
		require.NoError(t, r.announce(t.Context(), latest, "T-1"))
	}
}
