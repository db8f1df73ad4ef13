package workflows

import (
	"cmp"
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"
)

// History reads a run's events; a Temporal client does.
type History interface {
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Recorded is the request that a run was started with: from its first event, so it needs no worker.
func Recorded(ctx context.Context, from History, id, runID string) (Request, error) {
	started, err := readStart(ctx, from, id, runID)
	payloads := started.GetInput()
	if err != nil || len(payloads.GetPayloads()) == 0 {
		return Request{}, err
	}
	var request Request
	err = converter.GetDefaultDataConverter().FromPayloads(payloads, &request)
	return request, err
}

// OriginalRun is the id of the run that a run is a reset of, else its own: what a turn's id is derived from.
func OriginalRun(ctx context.Context, from History, id, runID string) (string, error) {
	started, err := readStart(ctx, from, id, runID)
	return cmp.Or(started.GetOriginalExecutionRunId(), runID), err
}

func readStart(ctx context.Context, from History, id, runID string) (*historypb.WorkflowExecutionStartedEventAttributes, error) {
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

// FirstSubmitted is the checked request that a run put to Ray: from the input of its first SubmitTurns,
// read as the workflow's workers write it.
func FirstSubmitted(ctx context.Context, from History, read converter.DataConverter, run workflow.Execution) (NormalisedRequest, error) {
	events := from.GetWorkflowHistory(ctx, run.ID, run.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return NormalisedRequest{}, err
		}
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != SubmitTurns.name {
			continue
		}
		var in SubmitTurnsInput
		if err := read.FromPayloads(scheduled.GetInput(), &in); err != nil {
			return NormalisedRequest{}, err
		}
		if in.Request != nil {
			return *in.Request, nil
		}
	}
	return NormalisedRequest{}, fmt.Errorf("the history of %s has no %s with a request", run.ID, SubmitTurns.name)
}

// LastStats is what a run of DeliberationStats had come to: from its history, so it needs no worker.
func LastStats(ctx context.Context, from History, run workflow.Execution) (StatsState, error) {
	read := converter.GetDefaultDataConverter()
	var state StatsState
	events := from.GetWorkflowHistory(ctx, run.ID, run.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return StatsState{}, err
		}
		if started := event.GetWorkflowExecutionStartedEventAttributes(); len(started.GetInput().GetPayloads()) > 0 {
			if err := read.FromPayloads(started.GetInput(), &state); err != nil {
				return StatsState{}, err
			}
		}
		if state.Since.IsZero() { // the first event's time; what follows has it
			state.Since = event.GetEventTime().AsTime()
		}
		// It runs one activity only.
		if ended := event.GetActivityTaskCompletedEventAttributes(); ended != nil {
			var counted CountResult
			if err := read.FromPayloads(ended.GetResult(), &counted); err != nil {
				return StatsState{}, err
			}
			state.take(counted)
		}
	}
	return state, nil
}
