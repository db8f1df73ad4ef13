//go:build integration

package stack

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// History returns the events of a run so far.
func History(t require.TestingT, run client.WorkflowRun) []*historypb.HistoryEvent {
	var events []*historypb.HistoryEvent
	iterator := Temporal.GetWorkflowHistory(context.Background(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		require.NoError(t, err)
		events = append(events, event)
	}
	return events
}

// EventTypes returns a line for each event of a run so far.
func EventTypes(t require.TestingT, run client.WorkflowRun) []string {
	var types []string
	for _, event := range History(t, run) {
		line := fmt.Sprintf("%d %s", event.GetEventId(), event.GetEventType())
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
			line += " " + a.GetActivityType().GetName()
		}
		types = append(types, line)
	}
	return types
}

// Scheduled counts how many activities of one name a run has scheduled.
func Scheduled(t require.TestingT, run client.WorkflowRun, activity string) int {
	count := 0
	for _, event := range History(t, run) {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			count++
		}
	}
	return count
}

// Attempts returns the attempt with which each activity of one name ended.
func Attempts(t require.TestingT, run client.WorkflowRun, activity string) []int {
	names := map[int64]string{}
	var ended []int
	for _, event := range History(t, run) {
		names[event.GetEventId()] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		if started := event.GetActivityTaskStartedEventAttributes(); names[started.GetScheduledEventId()] == activity {
			ended = append(ended, int(started.GetAttempt()))
		}
	}
	return ended
}

// TimeOf returns the time of the first event of a type.
func TimeOf(t *testing.T, run client.WorkflowRun, kind enumspb.EventType) time.Time {
	t.Helper()
	events := History(t, run)
	first := slices.IndexFunc(events, func(event *historypb.HistoryEvent) bool { return event.GetEventType() == kind })
	require.GreaterOrEqual(t, first, 0, "no %s", kind)
	return events[first].GetEventTime().AsTime()
}
