package runs

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// history writes the events of a council, by default of one.
type history struct {
	testing.TB

	timeline *Timeline
	request  contract.Parsed
	last     int64 // event id
	attempt  int
	turn     domain.TurnID // the latest one
}

func newHistory(t testing.TB) *history {
	t.Helper()
	return newHistoryOf(t, fakes.Council(1))
}

func newHistoryOf(t testing.TB, request contract.Request) *history {
	t.Helper()
	parsed, err := request.Parse()
	require.NoError(t, err)
	return &history{TB: t, timeline: NewTimeline(), request: parsed}
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
	h.complete(h.schedule(name, input), result)
}

func (h *history) complete(scheduled int64, result any) {
	h.Helper()
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

func (h *history) timeOut(name string, input any) {
	h.Helper()
	scheduled := h.schedule(name, input)
	h.last++
	h.timeline.Take(&historypb.HistoryEvent{
		EventId: h.last, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
		Attributes: &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
			ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{
				ScheduledEventId: scheduled, RetryState: enumspb.RETRY_STATE_TIMEOUT,
				Failure: &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
					TimeoutType: enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE,
				}}},
			},
		},
	})
}

func (h *history) schedule(name string, input any) int64 {
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
	return scheduled
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

// begin puts a phase to Ray, and returns its turns.
func (h *history) begin(turns ...contract.TurnRef) []domain.TurnID {
	h.Helper()
	in, ids := h.phase(turns...)
	h.activity(contract.ActivitySubmitTurns, in, contract.SubmitTurnsResult{Handles: handlesOf(ids...)})
	h.turn = ids[len(ids)-1]
	return ids
}

func (h *history) phase(turns ...contract.TurnRef) (contract.SubmitTurnsInput, []domain.TurnID) {
	h.Helper()
	in := contract.SubmitTurnsInput{
		DeliberationID: "deliberation-T-42", OriginalRunID: "run", Cluster: "a", Turns: turns, Brief: &contract.Brief{Request: &h.request.Normalised},
	}
	var ids []domain.TurnID
	for i, turn := range in.TurnsOf(h.request.Domain) {
		in.Turns[i].TurnID = turn.ID()
		ids = append(ids, turn.ID())
	}
	return in, ids
}

func handlesOf(turns ...domain.TurnID) []contract.Handle {
	var handles []contract.Handle
	for _, turn := range turns {
		handles = append(handles, contract.Handle{TurnID: turn, Cluster: "a", Runner: "runner/0", Incarnation: "i"})
	}
	return handles
}

func (h *history) handle() contract.Handle {
	return handlesOf(h.turn)[0]
}

func (h *history) await(outcome contract.TurnOutcome) {
	h.Helper()
	h.activity(contract.ActivityAwaitTurn, contract.AwaitTurnInput{Handle: h.handle()}, outcome)
}

func (h *history) agent() AgentView {
	return OpenView(Run{ID: "deliberation-T-42", Info: &workflowpb.WorkflowExecutionInfo{}}, h.timeline).Agents[0]
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

func TestAPhaseHasEndedWhenTheNextOneIsSubmitted(t *testing.T) {
	request := fakes.Council(3)
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer}
	h := newHistoryOf(t, request)
	proposals := h.begin(
		contract.TurnRef{Phase: domain.Propose, AgentID: "agent-1", Attempt: 1},
		contract.TurnRef{Phase: domain.Propose, AgentID: "agent-2", Attempt: 1},
		contract.TurnRef{Phase: domain.Propose, AgentID: "agent-3", Attempt: 1},
	)
	for _, proposal := range proposals[:2] {
		h.turn = proposal
		h.await(fakes.Answer("a proposal", 0.5).Value)
	}

	h.begin( // no stop was seen to end: the third turn had failed, and its next attempt was still to come
		contract.TurnRef{Phase: domain.PeerReview, Round: 1, AgentID: "agent-1", Attempt: 1, Reads: proposals[1:2]},
		contract.TurnRef{Phase: domain.PeerReview, Round: 1, AgentID: "agent-2", Attempt: 1, Reads: proposals[0:1]},
	)

	seat, _ := h.timeline.council.Seat("agent-3")
	require.Equal(t, domain.AgentFailed, seat.State())
	require.Equal(t, domain.StillRunning, seat.Failure().Kind())
}

func TestAPhaseWhoseFirstSubmitTimedOutGoesOn(t *testing.T) {
	request := fakes.Council(2)
	request.Protocol = &contract.Protocol{Review: domain.ReviewPeer}
	h := newHistoryOf(t, request)
	proposals := h.begin(
		contract.TurnRef{Phase: domain.Propose, AgentID: "agent-1", Attempt: 1},
		contract.TurnRef{Phase: domain.Propose, AgentID: "agent-2", Attempt: 1},
	)
	for _, proposal := range proposals {
		h.turn = proposal
		h.await(fakes.Answer("a proposal", 0.5).Value)
	}
	in, reviews := h.phase(contract.TurnRef{Phase: domain.PeerReview, Round: 1, AgentID: "agent-1", Attempt: 1, Reads: proposals[1:]})

	h.timeOut(contract.ActivitySubmitTurns, in)
	in.Brief = nil
	h.activity(contract.ActivitySubmitTurns, in, contract.SubmitTurnsResult{Handles: handlesOf(reviews...)})
	h.turn = reviews[0]
	h.await(fakes.Review(proposals[1]).Value)

	require.Len(t, h.timeline.council.LatestReviews(), 1)
	require.Empty(t, h.timeline.council.LatestReviews()[0].Failure.Kind())
	past := h.timeline.Turns()
	require.Len(t, past, 3)
	require.Equal(t, string(domain.OutcomeCompleted), past[2].Outcome)
}

// A cancel, and a phase that goes on without slow turns, stop turns that are waited for. The wait sees the stop.
func TestATurnThatTheRunStopsIsNotLost(t *testing.T) {
	for _, reason := range []string{"cancelled", contract.ReasonPatience} {
		h := newHistory(t)
		h.submit()
		waiting := h.schedule(contract.ActivityAwaitTurn, contract.AwaitTurnInput{Handle: h.handle()})
		stop := contract.StopTurnsInput{Turns: handlesOf(h.turn), Reason: reason}
		stopping := h.schedule(contract.ActivityStopTurns, stop)
		h.complete(waiting, fakes.StoppedBySomebody)
		h.complete(stopping, contract.StopTurnsResult{
			Outcomes: map[domain.TurnID]contract.TurnOutcome{h.turn: {Kind: domain.OutcomeCancelled}},
		})
		require.Equal(t, string(domain.OutcomeCancelled), h.timeline.Turns()[0].Outcome, reason)
	}
}

func TestATurnIsPaidOnce(t *testing.T) {
	failed := fakes.Failure(domain.ModelUnavailable, true).Value
	for _, partial := range []bool{false, true} {
		h := newHistory(t)
		h.submit()
		h.await(failed)
		for range 2 {
			h.activity(contract.ActivityStopTurns, contract.StopTurnsInput{Turns: handlesOf(h.turn), AllowPartial: partial}, contract.StopTurnsResult{
				Outcomes: map[domain.TurnID]contract.TurnOutcome{h.turn: failed},
			})
		}
		usage, wasted := h.timeline.council.Paid()
		require.Equal(t, failed.Domain().Usage, usage)
		require.Equal(t, usage.Tokens(), wasted)
	}
}
