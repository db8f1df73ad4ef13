package runs

import (
	"cmp"
	"context"
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/workflows/contract"
)

// OriginalRun is the id of the run that a run is a reset of, else its own: what a turn's id is derived from.
func OriginalRun(ctx context.Context, from contract.History, id, runID string) (string, error) {
	started, err := contract.ReadStart(ctx, from, id, runID)
	return cmp.Or(started.GetOriginalExecutionRunId(), runID), err
}

// FirstSubmitted is the checked request that a run put to Ray: from the input of its first SubmitTurns,
// read as the workflow's workers write it.
func FirstSubmitted(ctx context.Context, from contract.History, read converter.DataConverter, run workflow.Execution) (contract.NormalisedRequest, error) {
	for event, err := range events(ctx, from, run, allEvents) {
		if err != nil {
			return contract.NormalisedRequest{}, err
		}
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() != contract.ActivitySubmitTurns {
			continue
		}
		var in contract.SubmitTurnsInput
		if err := read.FromPayloads(scheduled.GetInput(), &in); err != nil {
			return contract.NormalisedRequest{}, err
		}
		if in.Request != nil {
			return *in.Request, nil
		}
	}
	return contract.NormalisedRequest{}, fmt.Errorf("the history of %s has no %s with a request", run.ID, contract.ActivitySubmitTurns)
}

// LastStats is what a run of DeliberationStats had come to: from its history, so it needs no worker.
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
		if state.Since.IsZero() { // the first event's time; what follows has it
			state.Since = event.GetEventTime().AsTime()
		}
		// It runs one activity only.
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
