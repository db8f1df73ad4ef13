package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/workflows/contract"
)

// The activities. Temporal tries each of them again at the pace below, until the time that the caller gave is
// over. An activity that must not be tried again returns a value or a non-retryable error.
var (
	// SubmitTurns submits turns to Ray together. The activity itself waits for room.
	SubmitTurns = Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]{
		name: contract.ActivitySubmitTurns, queue: contract.SubmitQueue, heartbeat: workerLost, retry: every(time.Second, 10*time.Second),
	}
	// submitLater is SubmitTurns for a council that is on Ray already. It has another queue, so that it doesn't wait
	// behind councils without room.
	submitLater = Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]{
		name: SubmitTurns.name, queue: contract.WaitQueue, heartbeat: SubmitTurns.heartbeat, retry: SubmitTurns.retry,
	}
	// AwaitTurn waits until one turn has ended. It polls the turn's state on Ray.
	AwaitTurn = Step[contract.AwaitTurnInput, contract.TurnOutcome]{
		name: contract.ActivityAwaitTurn, queue: contract.WaitQueue, heartbeat: workerLost, retry: every(500*time.Millisecond, 5*time.Second),
	}
	// StopTurns stops turns on Ray and returns the outcome of each.
	StopTurns = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: contract.ActivityStopTurns, queue: mainQueue, attempt: StopTries, retry: every(250*time.Millisecond, 2*time.Second),
	}
	// stopAbandoned is StopTurns with long retry intervals, for a cluster that doesn't answer.
	stopAbandoned = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: StopTurns.name, queue: mainQueue, attempt: StopTries, retry: every(2*time.Second, 20*time.Second),
	}
	// PublishEvents stores events in NATS, in order.
	PublishEvents = Step[contract.PublishEventsInput, contract.PublishEventsResult]{
		name: contract.ActivityPublishEvents, queue: mainQueue, attempt: 10 * time.Second, retry: every(time.Second, time.Minute),
	}
	// CloseDeliberation stores the last events. It doesn't wait until Ray has forgotten the outcomes.
	CloseDeliberation = Step[contract.CloseDeliberationInput, contract.CloseDeliberationResult]{
		name: contract.ActivityCloseDeliberation, queue: mainQueue, attempt: closeTry, retry: every(250*time.Millisecond, time.Second),
	}
	// CountDeliberations counts deliberations from visibility, for the statistics.
	CountDeliberations = Step[contract.CountInput, contract.CountResult]{
		name: contract.ActivityCountDeliberations, queue: mainQueue, heartbeat: workerLost, retry: every(time.Second, 30*time.Second),
	}
)

// StepNames returns the names of all activities.
func StepNames() []string {
	return []string{SubmitTurns.name, AwaitTurn.name, StopTurns.name, PublishEvents.name, CloseDeliberation.name, CountDeliberations.name}
}

const (
	// workerLost is how long an activity's worker may be silent before another one takes over.
	workerLost = 30 * time.Second
	// safety is how long after the workflow's own deadline an activity times out.
	safety = 60 * time.Second
	// stopWithin bounds the stop of turns: the run must end even if Ray is away.
	stopWithin = 20 * time.Second
	// StopTries is how long a stop is tried again until all turns are seen to end. After that the turns that
	// were seen to end are enough.
	StopTries = stopWithin / 2
	// abandonedWithin bounds the stop of turns on clusters that the council has left: no result depends on them.
	abandonedWithin = 3 * time.Second
	// runMargin makes the runner's deadline later than the workflow's: it is only for runs that were terminated.
	// The runner's time begins with the acceptance, the workflow's when it learns of the acceptance. In between,
	// a worker or Temporal may be busy or away.
	runMargin = 60 * time.Second
	// keepFor is how long Ray keeps an outcome after its turn's time, in case no worker runs for a while.
	keepFor = time.Hour
	// CloseTries is how long the closing step waits for NATS, and a worker for Ray to forget outcomes. After that, the outbox takes the
	// events, and keep_seconds ends the outcomes.
	CloseTries = 2 * time.Second
	// closeTry bounds one try of the closing step. The additional second is for Temporal.
	closeTry = CloseTries + time.Second
	// closeWithin bounds the closing step. It is long because the step may wait in the queue of a busy Temporal: the
	// outbox, which takes the events otherwise, is one more workflow for it.
	closeWithin = time.Minute
	// holdFor is how long the last events of a phase wait for the acceptance of the next phase, so that the submit
	// publishes them with those of the next phase. It may take some seconds more, since the submit waits for its last response.
	holdFor = 2 * time.Second
	// outboxFor is how long the outbox keeps trying.
	outboxFor = 7 * 24 * time.Hour
)

func mainQueue(taskQueue string) string { return taskQueue }

func every(first, most time.Duration) temporal.RetryPolicy {
	return temporal.RetryPolicy{InitialInterval: first, BackoffCoefficient: 2, MaximumInterval: most}
}

// Step is an activity as its callers see it: its name, queue and retries, and the types of its input and
// result. Package activities binds each step to its code, and the compiler checks the types.
type Step[In, Out any] struct {
	name      string
	queue     func(taskQueue string) string
	heartbeat time.Duration // heartbeat timeout. A step sets this or attempt, so that a lost worker is noticed
	attempt   time.Duration // start-to-close timeout of one try
	retry     temporal.RetryPolicy
}

// Name returns the activity's name, which is wire format.
func (s Step[In, Out]) Name() string { return s.name }

// call starts the activity. It has the time within from now on, retries included.
func (s Step[In, Out]) call(ctx workflow.Context, within time.Duration, summary string, in In) pending[Out] {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              s.queue(workflow.GetInfo(ctx).TaskQueueName),
		ScheduleToCloseTimeout: within,
		StartToCloseTimeout:    s.attempt,
		HeartbeatTimeout:       s.heartbeat,
		RetryPolicy:            &s.retry,
		Summary:                summary,
	})
	return pending[Out]{workflow.ExecuteActivity(ctx, s.name, in)}
}

// pending is an activity that was started.
type pending[Out any] struct{ future workflow.Future }

func (p pending[Out]) get(ctx workflow.Context) (Out, error) {
	var out Out
	err := p.future.Get(ctx, &out)
	return out, err
}
