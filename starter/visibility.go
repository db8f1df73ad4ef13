package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows/contract"
)

// pageMost is what Temporal answers at once.
const pageMost = 1000

// condition is what lists are filtered by; those that it joins must all hold.
type condition []string

// deliberations is the condition that finds them all.
func deliberations() condition {
	return condition{fmt.Sprintf("WorkflowType='%s'", contract.DeliberationName)}
}

// is adds that an attribute has a value. An empty value is no condition.
func (c condition) is(attribute, value string) condition {
	if value == "" {
		return c
	}
	return append(c, fmt.Sprintf("%s='%s'", attribute, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)))
}

// from adds that a time isn't before another; the zero time is no condition.
func (c condition) from(attribute string, t time.Time) condition {
	if t.IsZero() {
		return c
	}
	return append(c, fmt.Sprintf("%s>='%s'", attribute, t.UTC().Format(time.RFC3339Nano)))
}

// since adds that something of a deliberation happened: it was started, or it ended. What runs has no end,
// but some visibility stores find it by one.
func (c condition) since(t time.Time) condition {
	if t.IsZero() {
		return c
	}
	return append(c, fmt.Sprintf("(%s OR (ExecutionStatus!='Running' AND %s))", condition{}.from("StartTime", t), condition{}.from("CloseTime", t)))
}

func (c condition) String() string { return strings.Join(c, " AND ") }

// list goes through what visibility has, page by page: those that run first, then the last to end.
func (s server) list(ctx context.Context, where condition, page int) iter.Seq2[execution, error] {
	return func(yield func(execution, error) bool) {
		request := &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: s.namespace, PageSize: int32(min(page, pageMost)), Query: where.String(), //nolint:gosec // within 1000
		}
		for {
			listed, err := s.ListWorkflow(ctx, request)
			if err != nil {
				yield(execution{}, err)
				return
			}
			for _, info := range listed.GetExecutions() {
				if !yield(listedExecution(info), nil) {
					return
				}
			}
			if request.NextPageToken = listed.GetNextPageToken(); len(request.NextPageToken) == 0 {
				return
			}
		}
	}
}

func listedExecution(info *workflowpb.WorkflowExecutionInfo) execution {
	return execution{id: info.GetExecution().GetWorkflowId(), runID: info.GetExecution().GetRunId(), info: info}
}

// about is what the run is listed by: a search attribute, or the memo where the namespace has none.
func (e execution) about(key temporal.SearchAttributeKey, memo string) string {
	var text string
	if e.attribute(key, &text) && text != "" {
		return text
	}
	return e.memo(memo)
}

// score is that of the best proposal; nil when there is none.
func (e execution) score() *float64 {
	var score float64
	if e.attribute(contract.AttributeScore, &score) {
		return &score
	}
	payload, there := e.info.GetMemo().GetFields()[contract.MemoScore]
	if !there || converter.GetDefaultDataConverter().FromPayload(payload, &score) != nil {
		return nil
	}
	return &score
}

func (e execution) attribute(key temporal.SearchAttributeKey, into any) bool {
	payload, there := e.info.GetSearchAttributes().GetIndexedFields()[key.GetName()]
	return there && converter.GetDefaultDataConverter().FromPayload(payload, into) == nil
}

// Temporal's words for how an execution stands, and those that are typed here.
var executionStatuses = []struct {
	name   string
	status enumspb.WorkflowExecutionStatus
}{
	{"running", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING},
	{"completed", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
	{"failed", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED},
	{"cancelled", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
	{"terminated", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED},
	{"timed_out", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT},
}

func statusNames() []string {
	var names []string
	for _, known := range executionStatuses {
		names = append(names, known.name)
	}
	return names
}

// statusName is how the run stands in our words; a paused one runs.
func (e execution) statusName() string {
	if e.running() {
		return "running"
	}
	for _, known := range executionStatuses {
		if known.status == e.info.GetStatus() {
			return known.name
		}
	}
	return strings.ToLower(e.info.GetStatus().String())
}
