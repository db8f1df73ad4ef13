package statistics_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// fakeVisibility lists runs as the server does: the newest first, and page by page.
type fakeVisibility struct {
	contract.History
	runs    []*workflowpb.WorkflowExecutionInfo
	page    int // runs on one page
	queries []string
	before  func(list string) // called just before the first page of a list
	says    []error           // returned in place of the next pages
	err     error             // returned in place of every page
	reset   map[string]bool   // runs that a reset terminated, by id
	deleted map[string]bool   // runs without a history
	looked  int               // counts the looks at histories
}

const (
	whatRuns  = "running"
	whatEnded = "ended"
)

var statusOf = map[string]enumspb.WorkflowExecutionStatus{
	"Running": enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "Completed": enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	"Failed": enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, "Canceled": enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	"Terminated": enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "TimedOut": enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
}

func (f *fakeVisibility) ListWorkflow(_ context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	if len(f.says) > 0 {
		err := f.says[0]
		f.says = f.says[1:]
		return nil, err
	}
	list, since, err := parsed(in.GetQuery())
	if err != nil {
		return nil, err
	}
	if len(in.GetNextPageToken()) == 0 {
		f.queries = append(f.queries, in.GetQuery())
		if f.before != nil {
			f.before(list)
		}
	}
	var found []*workflowpb.WorkflowExecutionInfo
	for _, run := range slices.Backward(f.runs) {
		open := run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
		if open == (list == whatRuns) && (open || !run.GetCloseTime().AsTime().Before(since)) {
			found = append(found, run)
		}
	}
	from, _ := strconv.Atoi(string(in.GetNextPageToken()))
	to := min(len(found), from+min(f.page, int(in.GetPageSize())))
	response := &workflowservice.ListWorkflowExecutionsResponse{Executions: found[from:to]}
	if to < len(found) {
		response.NextPageToken = []byte(strconv.Itoa(to))
	}
	return response, nil
}

// parsed reads a query as the server would. The zero time is no bound.
func parsed(query string) (list string, since time.Time, err error) {
	conditions := strings.Split(query, " AND ")
	if conditions[0] != "WorkflowType='Deliberation'" {
		return "", since, fmt.Errorf("of whom? %s", query)
	}
	list = map[string]string{"CloseTime IS NULL": whatRuns, "CloseTime IS NOT NULL": whatEnded}[conditions[1]]
	if bound := conditions[2:]; len(bound) > 0 {
		at, _ := strings.CutPrefix(bound[0], "CloseTime >= '")
		since, err = time.Parse(time.RFC3339Nano, strings.TrimSuffix(at, "'"))
	}
	return list, since, err
}

func (f *fakeVisibility) GetWorkflowHistory(_ context.Context, _, id string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	f.looked++
	if f.deleted[id] {
		return &fakes.Events{Err: serviceerror.NewNotFound("no history")}
	}
	by := "somebody"
	if f.reset[id] {
		by = "history-resetter"
	}
	return &fakes.Events{Events: []*historypb.HistoryEvent{{Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
		WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{Identity: by},
	}}}}
}

var dawn = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// starts adds a run that began n seconds after dawn.
func (f *fakeVisibility) starts(n int) *workflowpb.WorkflowExecutionInfo {
	run := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: fmt.Sprintf("deliberation-T-%d", n), RunId: fmt.Sprintf("run-%d", n)},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Memo:      memo(map[string]any{contract.MemoTaskID: fmt.Sprintf("T-%d", n), contract.MemoRole: "DEV"}),
	}
	run.StartTime = fresh(run.GetStartTime())
	run.StartTime.Seconds = dawn.Unix() + int64(n)
	f.runs = append(f.runs, run)
	return run
}

func ends(run *workflowpb.WorkflowExecutionInfo, status string, took time.Duration) {
	run.Status = statusOf[status]
	run.CloseTime = fresh(run.GetCloseTime())
	run.CloseTime.Seconds = run.GetStartTime().GetSeconds() + int64(took/time.Second)
}

// fresh makes a new value of a type that would need one more import to be named.
func fresh[T any](*T) *T { return new(T) }

func memo(values map[string]any) *commonpb.Memo {
	return memoBy(converter.GetDefaultDataConverter(), values)
}

func memoBy(writes converter.DataConverter, values map[string]any) *commonpb.Memo {
	fields := map[string]*commonpb.Payload{}
	for key, value := range values {
		payload, err := writes.ToPayload(value)
		if err != nil {
			panic(err)
		}
		fields[key] = payload
	}
	return &commonpb.Memo{Fields: fields}
}
