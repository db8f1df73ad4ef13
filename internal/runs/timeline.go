package runs

import (
	"context"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Timeline is what a run's history says of its council. It takes the events one by one, in their order.
type Timeline struct {
	council  domain.Council
	request  domain.DeliberationRequest // as recorded
	turns    map[domain.TurnID]domain.Turn
	polled   map[string]domain.TurnID // by activity id
	planned  map[int64]*historypb.ActivityTaskScheduledEventAttributes
	failures map[string]int // by agent
	losses   map[string]int
	last     map[string]pastTurn // by agent

	started   time.Time
	taken     bool // by a worker
	phase     string
	cancelled string // the reason, if somebody asked for a cancellation
	closing   *historypb.HistoryEvent
}

// pastTurn is a turn that has ended.
type pastTurn struct {
	attempt int
	reason  string // why it gave no proposal
	tokens  int
}

// NewTimeline is the timeline of an empty history.
func NewTimeline() *Timeline {
	return &Timeline{
		turns: map[domain.TurnID]domain.Turn{}, polled: map[string]domain.TurnID{},
		planned:  map[int64]*historypb.ActivityTaskScheduledEventAttributes{},
		failures: map[string]int{}, losses: map[string]int{}, last: map[string]pastTurn{}, phase: "opening",
	}
}

// Timeline reads the history up to now.
func (r Reader) Timeline(ctx context.Context, run Run) (*Timeline, error) {
	t := NewTimeline()
	for event, err := range events(ctx, r, run.execution(), allEvents) {
		if err != nil {
			return nil, err
		}
		t.Take(event)
	}
	return t, nil
}

// Ended reports whether the run has ended.
func (t *Timeline) Ended() bool { return t.closing != nil }

// Take takes the next event.
func (t *Timeline) Take(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		t.begin(event)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		t.taken = true
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
	default: // says nothing of the council
	}
}

func (t *Timeline) begin(event *historypb.HistoryEvent) {
	t.started = event.GetEventTime().AsTime()
	request := contract.StartedWith(event.GetWorkflowExecutionStartedEventAttributes())
	if parsed, err := request.Parse(); err == nil {
		t.council = domain.NewCouncil(parsed.Domain)
	}
}

func (t *Timeline) plan(activity *historypb.ActivityTaskScheduledEventAttributes) {
	switch activity.GetActivityType().GetName() {
	case contract.ActivitySubmitTurns:
		t.submit(activity.GetInput())
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

func (t *Timeline) submit(input *commonpb.Payloads) {
	var in contract.SubmitTurnsInput
	if !decoded(input, &in) {
		return
	}
	if in.Request != nil && len(t.turns) == 0 { // as recorded: today's rules may be stricter than those that read the input
		t.request = in.Request.Domain()
		t.council, t.phase = domain.NewCouncil(t.request), "queued"
	}
	for _, turn := range in.TurnsOf(t.request) {
		t.turns[turn.ID()] = turn
		t.council = t.council.Submit(turn, domain.Handle{})
	}
}

func (t *Timeline) complete(activity *historypb.ActivityTaskScheduledEventAttributes, result *commonpb.Payloads) {
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
			t.take(t.polled[activity.GetActivityId()], outcome.Domain())
		}
	case contract.ActivityStopTurns:
		var stopped contract.StopTurnsResult
		if decoded(result, &stopped) {
			for turn, outcome := range stopped.Outcomes {
				t.take(turn, outcome.Domain())
			}
		}
	}
}

// take notes a turn's outcome, and whether its agent gets another attempt.
func (t *Timeline) take(id domain.TurnID, outcome domain.Outcome) {
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
