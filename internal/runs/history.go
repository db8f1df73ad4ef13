package runs

import (
	"context"
	"iter"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/workflows/contract"
)

// Which events of a history to read.
const (
	allEvents = enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT
	lastEvent = enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
)

// events yields the events that a run has so far; an error is the last thing it yields.
func events(ctx context.Context, from contract.History, run workflow.Execution, which enumspb.HistoryEventFilterType) iter.Seq2[*historypb.HistoryEvent, error] {
	return read(from.GetWorkflowHistory(ctx, run.ID, run.RunID, false, which))
}

// eventsUntilTheEnd yields all events of a run, and waits for new ones until the run has ended.
func eventsUntilTheEnd(ctx context.Context, from contract.History, run workflow.Execution, which enumspb.HistoryEventFilterType) iter.Seq2[*historypb.HistoryEvent, error] {
	return read(from.GetWorkflowHistory(ctx, run.ID, run.RunID, true, which))
}

func read(history client.HistoryEventIterator) iter.Seq2[*historypb.HistoryEvent, error] {
	return func(yield func(*historypb.HistoryEvent, error) bool) {
		for history.HasNext() {
			event, err := history.Next()
			if !yield(event, err) || err != nil {
				return
			}
		}
	}
}

// decoded reads a payload and reports whether that worked. A payload may be unreadable because it is encrypted; then it
// isn't shown.
func decoded(payloads *commonpb.Payloads, into any) bool {
	return len(payloads.GetPayloads()) > 0 && converter.GetDefaultDataConverter().FromPayloads(payloads, into) == nil
}
