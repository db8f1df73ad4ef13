package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/workflows/contract"
)

// The activities, and who retries: Temporal does, at the paces below, until the time that the caller
// gave is over. What must not be tried again comes back as a value or a non-retryable error.
var (
	// SubmitTurns puts turns to Ray together. It waits for room itself.
	SubmitTurns = Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]{
		name: contract.ActivitySubmitTurns, queue: contract.SubmitQueue, heartbeat: workerLost, retry: every(time.Second, 10*time.Second),
	}
	// submitLater is SubmitTurns once the council is on Ray: it must not wait after councils that wait for room.
	submitLater = Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]{
		name: SubmitTurns.name, queue: contract.WaitQueue, heartbeat: SubmitTurns.heartbeat, retry: SubmitTurns.retry,
	}
	// AwaitTurn waits until one turn has ended: it is the poll of Ray's status.
	AwaitTurn = Step[contract.AwaitTurnInput, contract.TurnOutcome]{
		name: contract.ActivityAwaitTurn, queue: contract.WaitQueue, heartbeat: workerLost, retry: every(500*time.Millisecond, 5*time.Second),
	}
	// StopTurns ends turns on Ray and returns what each resulted in.
	StopTurns = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: contract.ActivityStopTurns, queue: same, attempt: StopTries, retry: every(250*time.Millisecond, 2*time.Second),
	}
	// stopAbandoned is StopTurns with long retry intervals, for a cluster that does not answer.
	stopAbandoned = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: StopTurns.name, queue: same, attempt: StopTries, retry: every(2*time.Second, 20*time.Second),
	}
	// PublishEvents stores events in NATS, in order.
	PublishEvents = Step[contract.PublishEventsInput, contract.PublishEventsResult]{
		name: contract.ActivityPublishEvents, queue: same, attempt: 10 * time.Second, retry: every(time.Second, time.Minute),
	}
	// CloseDeliberation stores the last events and lets Ray forget what is in history, each as far as it can.
	CloseDeliberation = Step[contract.CloseDeliberationInput, contract.CloseDeliberationResult]{
		name: contract.ActivityCloseDeliberation, queue: same, attempt: closeWithin, retry: every(250*time.Millisecond, time.Second),
	}
	// CountDeliberations reads from visibility what the statistics are made of.
	CountDeliberations = Step[contract.CountInput, contract.CountResult]{
		name: contract.ActivityCountDeliberations, queue: same, heartbeat: workerLost, retry: every(time.Second, 30*time.Second),
	}
)

// StepNames are the names of all activities, for those that bind them.
func StepNames() []string {
	return []string{SubmitTurns.name, AwaitTurn.name, StopTurns.name, PublishEvents.name, CloseDeliberation.name, CountDeliberations.name}
}

const (
	// workerLost is how long an activity's worker may be silent before another one takes over.
	workerLost = 30 * time.Second
	// safety is how long after the workflow's own deadline an activity times out.
	safety = 60 * time.Second
	// stopWithin bounds the stop of turns: a Ray that is away must not hold up the end of a run.
	stopWithin = 20 * time.Second
	// StopTries is how long a stop is repeated until all turns are seen to end; then what is known counts.
	StopTries = stopWithin / 2
	// abandonedWithin bounds the stop of turns on clusters that the council has left: no result waits for those.
	abandonedWithin = 3 * time.Second
	// runMargin lets the workflow's deadline come before the runner's own, which is for runs that were
	// terminated. The workflow's begins when it learns of the acceptance, the runner's with the
	// acceptance: earlier by as much as a worker or Temporal is busy or away at that moment.
	runMargin = 60 * time.Second
	// keepFor is how long Ray keeps an outcome after its turn's time, for workers that come back late.
	keepFor = time.Hour
	// CloseTries is how long the closing step waits for NATS, and for Ray, before the outbox and keep_seconds
	// take over.
	CloseTries = 2 * time.Second
	// closeWithin bounds the closing step; the second on top is for Temporal.
	closeWithin = CloseTries + time.Second
	// outboxFor is how long the outbox keeps trying.
	outboxFor = 7 * 24 * time.Hour
)

func same(taskQueue string) string { return taskQueue }

func every(first, most time.Duration) temporal.RetryPolicy {
	return temporal.RetryPolicy{InitialInterval: first, BackoffCoefficient: 2, MaximumInterval: most}
}
