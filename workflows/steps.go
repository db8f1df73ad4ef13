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
	// submitAgain is SubmitTurns for further attempts: they mustn't wait behind councils that wait for room.
	submitAgain = Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]{
		name: SubmitTurns.name, queue: contract.WaitQueue, heartbeat: SubmitTurns.heartbeat, retry: SubmitTurns.retry,
	}
	// AwaitTurn waits until one turn has ended: it is the poll of Ray's status.
	AwaitTurn = Step[contract.AwaitTurnInput, contract.TurnOutcome]{
		name: contract.ActivityAwaitTurn, queue: contract.WaitQueue, heartbeat: workerLost, retry: every(500*time.Millisecond, 5*time.Second),
	}
	// StopTurns ends turns on Ray and tells what became of each, or forgets turns that have ended.
	StopTurns = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: contract.ActivityStopTurns, queue: same, attempt: StopTries, retry: every(250*time.Millisecond, 2*time.Second),
	}
	// stopWhenBack is StopTurns for a cluster that is gone: patient, and gentle.
	stopWhenBack = Step[contract.StopTurnsInput, contract.StopTurnsResult]{
		name: StopTurns.name, queue: same, attempt: StopTries, retry: every(2*time.Second, 20*time.Second),
	}
	// PublishEvents stores events in NATS, in order.
	PublishEvents = Step[contract.PublishEventsInput, contract.PublishEventsResult]{
		name: contract.ActivityPublishEvents, queue: same, attempt: 10 * time.Second, retry: every(time.Second, time.Minute),
	}
	// CountDeliberations reads from visibility what the statistics are made of.
	CountDeliberations = Step[contract.CountInput, contract.CountResult]{
		name: contract.ActivityCountDeliberations, queue: same, heartbeat: workerLost, retry: every(time.Second, 30*time.Second),
	}
)

// StepNames are the names of all activities, for those that bind them.
func StepNames() []string {
	return []string{SubmitTurns.name, AwaitTurn.name, StopTurns.name, PublishEvents.name, CountDeliberations.name}
}

const (
	// workerLost is how long an activity's worker may be silent before another one takes over.
	workerLost = 30 * time.Second
	// safety is how far behind the workflow's own deadline an activity's timeout stands.
	safety = 60 * time.Second
	// stopWithin bounds the stop of turns: a Ray that is away must not hold up the end of a run.
	stopWithin = 20 * time.Second
	// StopTries is how long a stop is repeated until all turns are seen to end; then what is known counts.
	StopTries = stopWithin / 2
	// leftWithin bounds the stop of turns on clusters that were gone: a result doesn't wait for those.
	leftWithin = 3 * time.Second
	// forgetWithin bounds a courtesy: what isn't forgotten goes by itself after keep_seconds.
	forgetWithin = 3 * time.Second
	// runMargin lets the workflow's deadline come before the runner's own, which is for runs that were
	// terminated. The one counts from when the workflow hears of the acceptance, the other from the
	// acceptance, which may be as much earlier as a worker or Temporal is busy or away just then.
	runMargin = 60 * time.Second
	// keepFor is how long Ray keeps an outcome beyond its turn's time, for workers that come back late.
	keepFor = time.Hour
	// newsWithin is how long a run's end waits for NATS before the outbox takes over.
	newsWithin = 2 * time.Second
	// outboxFor is how long the outbox keeps trying.
	outboxFor = 7 * 24 * time.Hour
)

func same(taskQueue string) string { return taskQueue }

func every(first, most time.Duration) temporal.RetryPolicy {
	return temporal.RetryPolicy{InitialInterval: first, BackoffCoefficient: 2, MaximumInterval: most}
}
