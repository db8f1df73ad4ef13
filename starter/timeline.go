package main

import (
	"context"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// timeline is what a run's history tells of its council, whether or not a worker is there to ask. It
// takes the events one by one, in the order of the workflow's own decisions.
type timeline struct {
	council  domain.Council
	request  domain.DeliberationRequest // as recorded
	turns    map[domain.TurnID]domain.Turn
	polled   map[string]domain.TurnID // by activity id
	planned  map[int64]*historypb.ActivityTaskScheduledEventAttributes
	failures map[string]int // of each agent
	losses   map[string]int
	last     map[string]pastTurn // of each agent

	started   time.Time
	begun     bool // a worker has taken it
	phase     string
	cancelled string // why, when somebody asked for it
	closing   *historypb.HistoryEvent
}

// pastTurn is what an agent's turn came to.
type pastTurn struct {
	attempt int
	reason  string // of one that came to nothing
	tokens  int
}

func newTimeline() *timeline {
	return &timeline{
		turns: map[domain.TurnID]domain.Turn{}, polled: map[string]domain.TurnID{},
		planned:  map[int64]*historypb.ActivityTaskScheduledEventAttributes{},
		failures: map[string]int{}, losses: map[string]int{}, last: map[string]pastTurn{}, phase: "opening",
	}
}

// timeline reads the history up to now.
func (s server) timeline(ctx context.Context, e execution) (*timeline, error) {
	t := newTimeline()
	events := s.GetWorkflowHistory(ctx, e.id, e.runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}
		t.take(event)
	}
	return t, nil
}

func (t *timeline) take(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		t.begin(event)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		t.begun = true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		t.planned[event.GetEventId()] = event.GetActivityTaskScheduledEventAttributes()
		t.plan(event.GetActivityTaskScheduledEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		completed := event.GetActivityTaskCompletedEventAttributes()
		t.complete(t.planned[completed.GetScheduledEventId()], completed.GetResult())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		t.cancelled = event.GetWorkflowExecutionCancelRequestedEventAttributes().GetCause()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		t.closing, t.phase = event, "done"
	default: // the rest tells nothing of the council
	}
}

func (t *timeline) begin(event *historypb.HistoryEvent) {
	t.started = event.GetEventTime().AsTime()
	request := contract.StartedWith(event.GetWorkflowExecutionStartedEventAttributes())
	if parsed, err := request.Parse(); err == nil {
		t.council = domain.NewCouncil(parsed.Domain)
	}
}

func (t *timeline) plan(activity *historypb.ActivityTaskScheduledEventAttributes) {
	switch activity.GetActivityType().GetName() {
	case contract.ActivitySubmitTurns:
		var in contract.SubmitTurnsInput
		if !decoded(activity.GetInput(), &in) {
			return
		}
		if in.Request != nil && len(t.turns) == 0 { // as recorded: a stricter rule of today's may not have read the input
			t.request = in.Request.Domain()
			t.council, t.phase = domain.NewCouncil(t.request), "queued"
		}
		for _, turn := range in.TurnsOf(t.request) {
			t.turns[turn.ID()] = turn
			t.council = t.council.Submit(turn, domain.Handle{})
		}
	case contract.ActivityAwaitTurn:
		var in contract.AwaitTurnInput
		if decoded(activity.GetInput(), &in) {
			t.polled[activity.GetActivityId()] = in.Handle.TurnID
			t.phase = string(domain.Propose)
		}
	case contract.ActivityStopTurns:
		var in contract.StopTurnsInput
		if decoded(activity.GetInput(), &in) && len(in.Stop) > 0 {
			t.phase = "stopping"
		}
	}
}

func (t *timeline) complete(activity *historypb.ActivityTaskScheduledEventAttributes, result *commonpb.Payloads) {
	switch activity.GetActivityType().GetName() {
	case contract.ActivitySubmitTurns:
		var accepted contract.SubmitTurnsResult
		if decoded(result, &accepted) {
			for _, handle := range accepted.Handles {
				t.council = t.council.Submit(t.turns[handle.TurnID], handle.Domain())
			}
		}
	case contract.ActivityAwaitTurn:
		var outcome contract.TurnOutcome
		if decoded(result, &outcome) {
			t.came(t.polled[activity.GetActivityId()], outcome.Domain())
		}
	case contract.ActivityStopTurns:
		var stopped contract.StopTurnsResult
		if decoded(result, &stopped) {
			for turn, outcome := range stopped.Outcomes {
				t.came(turn, outcome.Domain())
			}
		}
	}
}

// came notes what a turn came to, and whether its agent is done with it.
func (t *timeline) came(id domain.TurnID, outcome domain.Outcome) {
	turn, known := t.turns[id]
	if !known {
		return
	}
	agent, reason := turn.Agent().ID(), ""
	switch outcome.Kind {
	case domain.OutcomeFailed:
		t.failures[agent]++
		reason = because(string(outcome.Failure.Kind()), outcome.Failure.Message())
	case domain.OutcomeLost, domain.OutcomeUnreachable:
		t.losses[agent]++
		reason = because(string(outcome.Kind), outcome.Reason)
	case domain.OutcomeCompleted, domain.OutcomeCancelled, domain.OutcomeRunning:
	}
	t.last[agent] = pastTurn{attempt: turn.Number(), reason: reason, tokens: outcome.Usage.CompletionTokens}
	t.council = t.council.Complete(turn, outcome)
	if failure, over := t.council.Next(outcome, t.failures[agent], t.losses[agent]); over {
		t.council = t.council.Fail(turn, failure)
	}
}

// decoded reads a payload of the workflow's. What can't be read, for example because it is encrypted,
// is left out of what is shown.
func decoded(payloads *commonpb.Payloads, into any) bool {
	return converter.GetDefaultDataConverter().FromPayloads(payloads, into) == nil && len(payloads.GetPayloads()) > 0
}
