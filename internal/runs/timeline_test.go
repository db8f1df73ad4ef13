package runs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

// history writes the events of a council of one.
type history struct {
	testing.TB

	timeline *runs.Timeline
	request  contract.Parsed
	last     int64 // event id
	attempt  int
	turn     domain.TurnID
}

func newHistory(t testing.TB) *history {
	t.Helper()
	request, err := fakes.Council(1).Parse()
	require.NoError(t, err)
	return &history{TB: t, timeline: runs.NewTimeline(), request: request}
}

func (h *history) payloads(value any) *commonpb.Payloads {
	h.Helper()
	encoded, err := converter.GetDefaultDataConverter().ToPayloads(value)
	require.NoError(h, err)
	return encoded
}

// activity runs one activity to its result.
func (h *history) activity(name string, input, result any) {
	h.Helper()
	h.last++
	scheduled := h.last
	h.timeline.Take(&historypb.HistoryEvent{
		EventId: scheduled, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityId: fmt.Sprint(scheduled), ActivityType: &commonpb.ActivityType{Name: name}, Input: h.payloads(input),
			},
		},
	})
	h.last++
	h.timeline.Take(&historypb.HistoryEvent{
		EventId: h.last, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
				ScheduledEventId: scheduled, Result: h.payloads(result),
			},
		},
	})
}

// submit puts the agent's next attempt to Ray.
func (h *history) submit() {
	h.Helper()
	h.attempt++
	in := contract.SubmitTurnsInput{
		DeliberationID: "deliberation-T-42", OriginalRunID: "run", Cluster: "a",
		Turns: []contract.TurnRef{{Phase: domain.Propose, AgentID: "agent-1", Attempt: h.attempt}},
	}
	if h.attempt == 1 {
		in.Brief = &contract.Brief{Request: &h.request.Normalised}
	}
	h.turn = in.TurnsOf(h.request.Domain)[0].ID()
	in.Turns[0].TurnID = h.turn
	h.activity(contract.ActivitySubmitTurns, in, contract.SubmitTurnsResult{Handles: []contract.Handle{h.handle()}})
}

func (h *history) handle() contract.Handle {
	return contract.Handle{TurnID: h.turn, Cluster: "a", Runner: "runner/0", Incarnation: "i"}
}

func (h *history) await(outcome contract.TurnOutcome) {
	h.Helper()
	h.activity(contract.ActivityAwaitTurn, contract.AwaitTurnInput{Handle: h.handle()}, outcome)
}

func (h *history) agent() runs.AgentView {
	return runs.OpenView(runs.Run{ID: "deliberation-T-42", Info: &workflowpb.WorkflowExecutionInfo{}}, h.timeline).Agents[0]
}

func TestATurnThatWasUnreachableIsNotLost(t *testing.T) {
	h := newHistory(t)
	for range domain.MaxLost {
		h.submit()
		h.await(contract.TurnOutcome{Kind: domain.OutcomeUnreachable, Message: "a: connection refused"})
	}
	h.submit()
	h.await(contract.TurnOutcome{Kind: domain.OutcomeLost, Message: "runner was restarted"})
	require.NotEqual(t, domain.AgentFailed, h.agent().State, "one loss leaves %d more attempts", domain.MaxLost)

	h.submit()
	require.Equal(t, domain.AgentSubmitted, h.agent().State)
	require.Equal(t, "lost: runner was restarted", h.agent().After)
}

func TestAnAgentFailsAfterItsLastLoss(t *testing.T) {
	h := newHistory(t)
	for range domain.MaxLost {
		h.submit()
		h.await(contract.TurnOutcome{Kind: domain.OutcomeLost, Message: "runner was restarted"})
	}
	require.NotEqual(t, domain.AgentFailed, h.agent().State)
	h.submit()
	h.await(contract.TurnOutcome{Kind: domain.OutcomeLost, Message: "runner was restarted"})
	require.Equal(t, domain.AgentFailed, h.agent().State)
}
