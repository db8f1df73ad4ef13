package runs

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
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

// OriginalRun returns the id of the run that was reset into this one, or else this run's own id. Turn ids are derived
// from it.
func OriginalRun(ctx context.Context, from contract.History, id, runID string) (string, error) {
	started, err := contract.ReadStart(ctx, from, id, runID)
	return cmp.Or(started.GetOriginalExecutionRunId(), runID), err
}

// FirstSubmitted returns the brief of a phase, from the input of its first SubmitTurns. The converter is the one of the
// run's workers.
func FirstSubmitted(ctx context.Context, from contract.History, read converter.DataConverter, run workflow.Execution, phase domain.Phase) (contract.Brief, error) {
	for event, err := range events(ctx, from, run, allEvents) {
		if err != nil {
			return contract.Brief{}, err
		}
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != contract.ActivitySubmitTurns {
			continue
		}
		var in contract.SubmitTurnsInput
		if err := read.FromPayloads(scheduled.GetInput(), &in); err != nil {
			return contract.Brief{}, err
		}
		if in.Brief != nil && in.Phase() == phase {
			return *in.Brief, nil
		}
	}
	return contract.Brief{}, fmt.Errorf("the history of %s has no %s with the brief of its phase", run.ID, contract.ActivitySubmitTurns)
}

// LastStats returns the last state of a run of DeliberationStats, from its history.
func LastStats(ctx context.Context, from contract.History, run workflow.Execution) (contract.StatsState, error) {
	read := converter.GetDefaultDataConverter()
	var state contract.StatsState
	for event, err := range events(ctx, from, run, allEvents) {
		if err != nil {
			return contract.StatsState{}, err
		}
		if started := event.GetWorkflowExecutionStartedEventAttributes(); len(started.GetInput().GetPayloads()) > 0 {
			if err := read.FromPayloads(started.GetInput(), &state); err != nil {
				return contract.StatsState{}, err
			}
		}
		if state.Since.IsZero() { // the time of the first event
			state.Since = event.GetEventTime().AsTime()
		}
		// The workflow has only one activity.
		if ended := event.GetActivityTaskCompletedEventAttributes(); ended != nil {
			var counted contract.CountResult
			if err := read.FromPayloads(ended.GetResult(), &counted); err != nil {
				return contract.StatsState{}, err
			}
			state.Take(counted)
		}
	}
	return state, nil
}
