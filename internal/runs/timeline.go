package runs

import (
	"context"
	"iter"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Timeline folds a run's history into the state of its council. It takes the events one by one, in order.
type Timeline struct {
	council  domain.Council
	request  domain.DeliberationRequest // as recorded
	given    []contract.Proposal        // the request's own proposals
	turns    map[domain.TurnID]domain.Turn
	polled   map[string]domain.TurnID // by activity id
	planned  map[int64]planned
	last     map[string]pastTurn // by agent
	ended    map[domain.TurnID]bool
	stopping map[domain.TurnID]bool // a stop of the run names them
	past     map[domain.TurnID]*PastTurn
	order    []domain.TurnID

	now       time.Time // of the latest event
	started   time.Time
	taken     bool // a worker has taken the run up
	phase     string
	round     int
	asked     domain.Phase // of the latest submit
	ending    bool         // the turns are being stopped, or somebody asked for a cancellation
	cancelled string       // the reason for the cancellation
	closing   *historypb.HistoryEvent
}

// planned is an activity that was scheduled, with its input.
type planned struct {
	submit contract.SubmitTurnsInput
	await  domain.TurnID
	stop   contract.StopTurnsInput
	name   string
	turns  []domain.Turn // that it submits or waits for
}

// pastTurn is a turn that has ended.
type pastTurn struct {
	attempt int
	reason  string // why it gave no answer
	tokens  int
}

// NewTimeline returns the timeline of an empty history.
func NewTimeline() *Timeline {
	return &Timeline{
		turns: map[domain.TurnID]domain.Turn{}, polled: map[string]domain.TurnID{},
		planned: map[int64]planned{},
		last:    map[string]pastTurn{}, ended: map[domain.TurnID]bool{}, stopping: map[domain.TurnID]bool{},
		past: map[domain.TurnID]*PastTurn{}, phase: "opening",
	}
}

func (r Reader) Timeline(ctx context.Context, run Run) (*Timeline, error) {
	return timelineOf(events(ctx, r, run.execution(), allEvents))
}

func timelineOf(history iter.Seq2[*historypb.HistoryEvent, error]) (*Timeline, error) {
	t := NewTimeline()
	for event, err := range history {
		if err != nil {
			return nil, err
		}
		t.Take(event)
	}
	return t, nil
}

func (t *Timeline) Ended() bool { return t.closing != nil }

func (t *Timeline) Take(event *historypb.HistoryEvent) {
	t.now = event.GetEventTime().AsTime()
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		t.begin(event)
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		t.taken = true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		t.planned[event.GetEventId()] = t.plan(event.GetActivityTaskScheduledEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		completed := event.GetActivityTaskCompletedEventAttributes()
		t.complete(t.planned[completed.GetScheduledEventId()], completed.GetResult())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		failed := event.GetActivityTaskFailedEventAttributes()
		t.giveUp(t.planned[failed.GetScheduledEventId()], failed.GetFailure(), failed.GetRetryState())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		late := event.GetActivityTaskTimedOutEventAttributes()
		t.giveUp(t.planned[late.GetScheduledEventId()], late.GetFailure(), late.GetRetryState())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		t.ending = true
		t.cancelled = event.GetWorkflowExecutionCancelRequestedEventAttributes().GetCause()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		t.closing, t.phase = event, "done"
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
			t.closePhase()
		}
	default: // has nothing about the council
	}
}

func (t *Timeline) begin(event *historypb.HistoryEvent) {
	t.started = event.GetEventTime().AsTime()
	request := contract.StartedWith(event.GetWorkflowExecutionStartedEventAttributes())
	parsed, err := request.Parse()
	t.given = parsed.Normalised.Proposals
	if err == nil {
		t.council = domain.NewCouncil(parsed.Domain, domain.RunKey{})
	}
}

func (t *Timeline) plan(activity *historypb.ActivityTaskScheduledEventAttributes) planned {
	p := planned{name: activity.GetActivityType().GetName()}
	switch p.name {
	case contract.ActivitySubmitTurns:
		if decoded(activity.GetInput(), &p.submit) {
			p.turns = t.submit(p.submit)
		}
	case contract.ActivityAwaitTurn:
		var in contract.AwaitTurnInput
		if decoded(activity.GetInput(), &in) {
			p.await, t.polled[activity.GetActivityId()] = in.Handle.TurnID, in.Handle.TurnID
		}
		if turn, known := t.turns[p.await]; known {
			p.turns = []domain.Turn{turn}
			t.phase, t.round = string(turn.Phase().Kind), turn.Phase().Round
		}
	case contract.ActivityStopTurns:
		if decoded(activity.GetInput(), &p.stop) {
			t.stop(p.stop)
		}
	}
	return p
}

// stop notes the turns of a stop.
func (t *Timeline) stop(in contract.StopTurnsInput) {
	for _, handle := range in.Turns {
		t.stopping[handle.TurnID] = true
	}
	if !in.AllowPartial && in.Reason != contract.ReasonPatience {
		t.phase, t.ending = "stopping", true
	}
}

func (t *Timeline) submit(in contract.SubmitTurnsInput) []domain.Turn {
	if in.Brief != nil && len(t.turns) == 0 { // use the recorded request: today's rules may be stricter than its own
		request := *in.Brief.Request
		request.Proposals = t.given // a brief has them only as texts
		t.request = request.Domain()
		run := domain.RunKey{WorkflowID: in.DeliberationID, OriginalRunID: in.OriginalRunID}
		t.council, t.phase = domain.NewCouncil(t.request, run), "queued"
	}
	if in.Brief != nil { // the first submit of a phase: the council no longer waits for the earlier ones
		t.closePhase()
	}
	turns := in.TurnsOf(t.request)
	for _, turn := range turns {
		t.turns[turn.ID()], t.asked = turn, turn.Phase()
		t.submitted(turn)
		t.council = t.council.Assign([]domain.Assignment{turn.Assignment()}).Submitted(turn, domain.Handle{})
	}
	return turns
}

func (t *Timeline) complete(activity planned, result *commonpb.Payloads) {
	switch activity.name {
	case contract.ActivitySubmitTurns:
		var accepted contract.SubmitTurnsResult
		if decoded(result, &accepted) {
			for _, handle := range accepted.Handles {
				t.council = t.council.Submitted(t.turns[handle.TurnID], handle.Domain())
				t.accepted(handle.TurnID)
			}
		}
	case contract.ActivityAwaitTurn:
		var outcome contract.TurnOutcome
		// The wait for a turn that the run stops sees that somebody has stopped it. The stop says what it resulted in.
		if decoded(result, &outcome) && (!t.stopping[activity.await] || outcome.Kind != domain.OutcomeLost) {
			t.take(activity.await, outcome.Domain())
		}
	case contract.ActivityStopTurns:
		var stopped contract.StopTurnsResult
		if decoded(result, &stopped) {
			t.takeStopped(activity.stop, stopped.Outcomes)
		}
	}
}

// takeStopped folds the outcomes of a stop. Outcomes from a cluster that the council had left don't count.
func (t *Timeline) takeStopped(in contract.StopTurnsInput, outcomes map[domain.TurnID]contract.TurnOutcome) {
	for _, handle := range in.Turns { // in the order in which the workflow takes them
		outcome, known := outcomes[handle.TurnID]
		switch {
		case !known || t.ended[handle.TurnID]:
		case in.AllowPartial:
			t.ended[handle.TurnID] = true
			t.council = t.council.Waste(t.turns[handle.TurnID], outcome.Domain().Usage)
			t.endTurn(handle.TurnID, domain.OutcomeCancelled, "stopped")
		default:
			t.take(handle.TurnID, outcome.Domain())
		}
	}
	if in.Reason == contract.ReasonPatience {
		t.closePhase()
	}
}

// closePhase gives up the assignments that the council no longer waits for.
func (t *Timeline) closePhase() {
	t.council = t.council.Close(domain.NewTurnFailure(domain.StillRunning, "not finished when the council went on", false))
}

// giveUp folds the error of an activity, as the workflow does. While the run ends, the outcomes come from the stop.
func (t *Timeline) giveUp(activity planned, cause *failurepb.Failure, state enumspb.RetryState) {
	if t.ending {
		return
	}
	err := temporal.GetDefaultFailureConverter().FailureToError(&failurepb.Failure{
		Cause: cause, FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{RetryState: state}},
	})
	later := len(t.order) > 0 && t.turns[t.order[0]].Phase() != activity.submit.Phase()
	if later && activity.submit.Brief != nil && contract.TimedOut(err) {
		return // the workflow submits the later phase again
	}
	failure := contract.FailureOf(err)
	for _, turn := range activity.turns {
		t.endTurn(turn.ID(), domain.OutcomeGivenUp, because(string(failure.Kind()), failure.Message()))
		t.council, _ = t.council.Take(turn, domain.GivenUp(failure))
	}
}

// take folds a turn's outcome into the council's ledger, by the council's own rules. A history may have two outcomes of
// one turn, from its wait and from its stop; the workflow takes only one of them.
func (t *Timeline) take(id domain.TurnID, outcome domain.Outcome) {
	turn, known := t.turns[id]
	if !known || t.ended[id] {
		return
	}
	t.ended[id] = outcome.Ended()
	reason := ""
	switch outcome.Kind {
	case domain.OutcomeFailed:
		reason = because(string(outcome.Failure.Kind()), outcome.Failure.Message())
	case domain.OutcomeLost, domain.OutcomeUnreachable:
		reason = because(string(outcome.Kind), outcome.Reason)
	case domain.OutcomeCompleted, domain.OutcomeCancelled, domain.OutcomeRunning, domain.OutcomeGivenUp:
	}
	if t.ended[id] {
		t.endTurn(id, outcome.Kind, reason)
	}
	t.last[turn.Agent().ID()] = pastTurn{attempt: turn.Attempt(), reason: reason, tokens: outcome.Usage.CompletionTokens}
	t.council, _ = t.council.Take(turn, outcome)
}
