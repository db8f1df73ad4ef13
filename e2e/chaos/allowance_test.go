//go:build integration

package chaos

import "time"

// allowance is what an experiment may cost. It never may lose an event, store one twice within the stream's
// duplicate window or out of order, or end a deliberation otherwise than it must. It may cost one call of
// the model beyond the needed ones for each turn that is doomed.
type allowance struct {
	// answersDie says that a doomed turn may have been answered already, which is then paid for twice: a
	// Ray that is told to stop closes its door before its runners end.
	answersDie bool
	recovery   []wait
	left       time.Duration // how long work may outlive its deliberation on Ray
}

// wait is a part of an allowed recovery.
type wait struct {
	lasts time.Duration
	why   string
}

const (
	heartbeat     = 30 * time.Second // how long a worker may be silent before another one gets its work
	longestAnswer = 8 * time.Second  // once the model is released
	grace         = 10 * time.Second // of a cluster that is away, where there are two
)

var (
	deadWorker         = wait{heartbeat, "Temporal notices a dead worker by its missing heartbeats"}
	slowestAnswer      = wait{longestAnswer, "the slowest answer"}
	askedAgain         = wait{longestAnswer, "the slowest answer of a turn that was lost and asked again"}
	laterPhases        = wait{20 * time.Second, "the phases after the one that the fault meets, each of up to seventy turns"}
	endTogether        = wait{20 * time.Second, "twenty deliberations end together on two cores, next to those of another experiment"}
	secondRound        = wait{20 * time.Second, "every agent fails once, so all of it happens twice"}
	nextTry            = wait{10 * time.Second, "polls and submits pause up to 10 s between two tries"}
	slowRequests       = wait{20 * time.Second, "every request takes up to 3 s longer"}
	newGateway         = wait{20 * time.Second, "Ray starts another gateway"}
	newRay             = wait{70 * time.Second, "the new Ray gets its app"}
	unansweredStop     = wait{20 * time.Second, "a stop that nobody answers is given up"}
	nextStop           = wait{20 * time.Second, "what was left on a cluster is stopped in tries up to 20 s apart"}
	newWorkerLooks     = wait{60 * time.Second, "a worker that starts looks for work without an open run"}
	graceOver          = wait{grace, "turns on a cluster that is away are placed on the other one after its grace"}
	queueOver          = wait{20 * time.Second, "the queue timeout of the subjects"}
	hangingOver        = wait{20 * time.Second, "the deadline of subjects with an agent whose model hangs"}
	reviewDeadlineOver = wait{60 * time.Second, "the deadline of councils that must be in their reviews before it"}
	deadlineOver       = wait{30 * time.Second, "the deadline of subjects that must end by it"}

	// lostTask and lostPoll are faults of Temporal's dev server that come on top of the experiment's own.
	lostTask = wait{heartbeat, "on a busy machine the dev server hands out a task now and then that no worker gets; it comes again after its heartbeat timeout"}
	lostPoll = wait{70 * time.Second, "a server that comes back may lose a worker's poll, which lasts its minute all the same"}
)

// within is a recovery that takes those waits, and a lost task on top.
func within(waits ...wait) []wait { return append(waits, lostTask) }

// limits is an allowance in numbers.
type limits struct {
	calls    int // beyond the needed ones
	paid     int // answers paid for twice
	recovery time.Duration
	left     time.Duration
}

// limits are what the experiment may cost, now that it is known which turns are doomed.
func (l *lab) limits() limits {
	allows := l.experiment.allows
	n := limits{calls: len(l.doomed), left: slower(allows.left)}
	if allows.answersDie {
		n.paid = len(l.doomed)
	}
	for _, wait := range allows.recovery {
		n.recovery += slower(wait.lasts)
	}
	return n
}

// slower is a time for a machine that others use too.
func slower(quiet time.Duration) time.Duration { return time.Duration(float64(quiet) * *chaosSlow) }
