package contract

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// History reads a run's events; a Temporal client does.
type History interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Recorded is the request that a run was started with: from its first event, so it needs no worker.
func Recorded(ctx context.Context, from History, id, runID string) (Request, error) {
	started, err := ReadStart(ctx, from, id, runID)
	payloads := started.GetInput()
	if err != nil || len(payloads.GetPayloads()) == 0 {
		return Request{}, err
	}
	var request Request
	err = converter.GetDefaultDataConverter().FromPayloads(payloads, &request)
	return request, err
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
