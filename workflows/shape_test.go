package workflows_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/internal/fakes"
)

// TestShape_OfTheMainPaths keeps the shape of a history as text, one event a line, so that a review shows
// what a change does to the number and the order of events.
func TestShape_OfTheMainPaths(t *testing.T) {
	for _, path := range []string{
		"happy", "retry_then_success", "cancelled", "deadline_with_quorum", "left_to_outbox", "placed_elsewhere",
	} {
		t.Run(path, func(t *testing.T) {
			history := fakes.ReadHistory(t, filepath.Join("testdata", "histories", path+fakes.HistorySuffix))
			golden := filepath.Join("testdata", "shapes", path+".txt")
			shape := shapeOf(t, history.GetEvents())
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o750))
				require.NoError(t, os.WriteFile(golden, []byte(shape), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), shape, "if the change is wanted: go test ./workflows -run TestShape -update")
		})
	}
}

func shapeOf(t *testing.T, events []*historypb.HistoryEvent) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%d events\n\n", len(events))
	for _, event := range events {
		kind := strings.TrimSuffix(fmt.Sprintf("%T", event.GetAttributes()), "EventAttributes")
		kind = strings.TrimPrefix(kind, "*history.HistoryEvent_")
		line := fmt.Sprintf("%2d %-40s %s", event.GetEventId(), kind, about(t, event))
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

// about is what matters of an event: for most activities, the text that people see.
func about(t *testing.T, event *historypb.HistoryEvent) string {
	t.Helper()
	of := func(scheduled int64) string { return fmt.Sprintf("of %d", scheduled) }
	switch {
	case event.GetWorkflowExecutionStartedEventAttributes() != nil:
		return event.GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()
	case event.GetActivityTaskScheduledEventAttributes() != nil:
		name := event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		return name + ": " + text(t, event.GetUserMetadata().GetSummary())
	case event.GetActivityTaskStartedEventAttributes() != nil:
		started := event.GetActivityTaskStartedEventAttributes()
		return fmt.Sprintf("%s, attempt %d", of(started.GetScheduledEventId()), started.GetAttempt())
	case event.GetActivityTaskCompletedEventAttributes() != nil:
		return of(event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId())
	case event.GetActivityTaskFailedEventAttributes() != nil:
		return of(event.GetActivityTaskFailedEventAttributes().GetScheduledEventId())
	case event.GetActivityTaskTimedOutEventAttributes() != nil:
		return of(event.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId())
	case event.GetActivityTaskCancelRequestedEventAttributes() != nil:
		return of(event.GetActivityTaskCancelRequestedEventAttributes().GetScheduledEventId())
	case event.GetActivityTaskCanceledEventAttributes() != nil:
		return of(event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId())
	case event.GetTimerStartedEventAttributes() != nil:
		return event.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration().String()
	case event.GetTimerFiredEventAttributes() != nil:
		return of(event.GetTimerFiredEventAttributes().GetStartedEventId())
	case event.GetTimerCanceledEventAttributes() != nil:
		return of(event.GetTimerCanceledEventAttributes().GetStartedEventId())
	case event.GetMarkerRecordedEventAttributes() != nil:
		return event.GetMarkerRecordedEventAttributes().GetMarkerName()
	case event.GetStartChildWorkflowExecutionInitiatedEventAttributes() != nil:
		return event.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowType().GetName()
	}
	return ""
}

func text(t *testing.T, payload *commonpb.Payload) (text string) {
	t.Helper()
	if payload != nil {
		require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &text))
	}
	return text
}
