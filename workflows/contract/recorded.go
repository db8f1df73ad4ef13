package contract

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// History reads a run's events; a Temporal client does.
type History interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Recorded returns the request that a run was started with. It reads the first event, so it needs no worker.
func Recorded(ctx context.Context, from History, id, runID string) (Request, error) {
	started, err := ReadStart(ctx, from, id, runID)
	if err != nil {
		return Request{}, err
	}
	return StartedWith(started), nil
}

// StartedWith returns the request in the first event of a run.
func StartedWith(started *historypb.WorkflowExecutionStartedEventAttributes) Request {
	return Received(started.GetInput().GetPayloads()...)
}

// ReadStart reads the first event of a run.
func ReadStart(ctx context.Context, from History, id, runID string) (*historypb.WorkflowExecutionStartedEventAttributes, error) {
	events := from.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil, fmt.Errorf("%s has no history", id)
	}
	first, err := events.Next()
	if err != nil {
		return nil, err
	}
	return first.GetWorkflowExecutionStartedEventAttributes(), nil
}
