package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// announceWithin bounds the time that the events of a submit may take: until then nobody waits for the turns.
const announceWithin = 250 * time.Millisecond

// announce tries once to store the events that an accepted submit carries. Otherwise the workflow publishes them. It also
// leaves them to the workflow if they are of the run that was reset to this one, since their ids and data name that run.
func (s set) announce(ctx context.Context, in contract.SubmitTurnsInput, description string, now func() time.Time) bool {
	run := domain.EventPrefix(in.DeliberationID, activity.GetInfo(ctx).WorkflowExecution.RunID)
	if len(in.Events) == 0 || !strings.HasPrefix(in.Events[0].ID, run) {
		return false
	}
	at := now()
	for i, event := range slices.Backward(in.Events) {
		if !event.Kind.Begins() {
			break // what comes before belongs to earlier phases
		}
		in.Events[i].At = at
	}
	trying, cancel := context.WithTimeout(ctx, announceWithin)
	defer cancel()
	err := s.storeAll(trying, in.Events, description)
	if err != nil {
		activity.GetLogger(ctx).Debug("events left to the workflow", keyDeliberation, in.DeliberationID, "error", err)
	}
	return err == nil && trying.Err() == nil // the publisher doesn't report a best-effort event that it dropped
}

// clockOf returns a clock that shows Temporal's time, as the workflow's does. The worker's own may differ.
func clockOf(ctx context.Context) func() time.Time {
	started, begun := activity.GetInfo(ctx).StartedTime, time.Now()
	return func() time.Time { return started.Add(time.Since(begun)).UTC() }
}
