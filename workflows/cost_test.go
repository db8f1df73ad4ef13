package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// TestCost_OfACouncilOfThree bounds what a council of three agents with events costs Temporal. Both orders are
// controlled when the histories are recorded: see cost_record_test.go.
func TestCost_OfACouncilOfThree(t *testing.T) {
	tests := map[string]struct{ events, transitions, bytes int }{
		"outcomes_together": {events: 35, transitions: 19, bytes: 20 << 10},
		"outcomes_apart":    {events: 48, transitions: 27, bytes: 20 << 10},
	}
	for name, most := range tests {
		t.Run(name, func(t *testing.T) {
			history := fakes.ReadHistory(t, filepath.Join("testdata", "histories", name+fakes.HistorySuffix))
			events := history.GetEvents()

			t.Logf("%d events, %d state transitions, %d bytes", len(events), transitionsOf(events), proto.Size(history))
			require.LessOrEqual(t, len(events), most.events)
			require.LessOrEqual(t, transitionsOf(events), most.transitions)
			require.LessOrEqual(t, proto.Size(history), most.bytes)
		})
	}
}

// transitionsOf counts the writes of a history without heartbeats or retries: one for the start, one each time
// a task begins or ends, and one for each timer that fires. The recording compares it with the server's count.
func transitionsOf(events []*historypb.HistoryEvent) (count int) {
	for _, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_TIMER_FIRED,
			enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
			enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			count++
		default: // written together with one of those
		}
	}
	return count
}

// TestCost_OfAReviewOfFive bounds the history of 30 turns: five agents, two rounds. A turn's wait is 3 events. A turn
// that ends alone adds 9: a workflow task, a publish, and the workflow task after the publish. Turns that end
// together share a workflow task, and their events travel with the next submit. ADR 10 has the sum. What isn't for
// publishing stays within the bound in both.
func TestCost_OfAReviewOfFive(t *testing.T) {
	const bound = 20 + 8*30
	for name, most := range map[string]int{"five_together": 173, "five_apart": 389} {
		t.Run(name, func(t *testing.T) {
			events := fakes.ReadHistory(t, filepath.Join("testdata", "histories", name+fakes.HistorySuffix)).GetEvents()

			kinds, publishes := map[string]int{}, 0
			for _, event := range events {
				kinds[event.GetEventType().String()]++
				if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == contract.ActivityPublishEvents {
					publishes++
				}
			}
			t.Logf("%d events, %d publishes: %v", len(events), publishes, kinds)
			require.LessOrEqual(t, len(events), most)
			require.LessOrEqual(t, len(events)-6*publishes, bound)
		})
	}
}
