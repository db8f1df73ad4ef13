//go:build integration

package bench

import (
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// outcomeTimes returns the seconds from a council's acceptance to the outcome of each of its turns in history.
func outcomeTimes(t *testing.T, of client.WorkflowRun) (times series) {
	t.Helper()
	names := map[int64]string{}
	var accepted time.Time
	for _, event := range stack.History(t, of) {
		if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			names[event.GetEventId()] = scheduled.GetActivityType().GetName()
		}
		completed := event.GetActivityTaskCompletedEventAttributes()
		switch at := event.GetEventTime().AsTime(); {
		case completed == nil:
		case names[completed.GetScheduledEventId()] == contract.ActivitySubmitTurns:
			accepted = at
		case names[completed.GetScheduledEventId()] == contract.ActivityAwaitTurn:
			times = append(times, at.Sub(accepted).Seconds())
		}
	}
	return times
}
