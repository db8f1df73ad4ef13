//go:build integration

package chaos

import (
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// What callers and operators do to deliberations.
var callerFaults = slices.Concat([]experiment{
	{
		name: "duplicate start", run: startedTwice,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "start with a changed request", run: startedOtherwise,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
}, cancelFaults, deadlineFaults, commandFaults)

// startedTwice lets four callers start each task at the same moment. One of them starts it, the others attach.
func startedTwice(l *lab) {
	const callers = 4
	l.worker()
	l.plan(endsCompleted)
	for _, s := range l.subjects {
		started := make([]contract.Started, callers)
		var together sync.WaitGroup
		for i := range started {
			together.Go(func() {
				var err error
				started[i], err = contract.Start(l.t.Context(), stack.Temporal, s.request, contract.StartOptions{TaskQueue: l.queue})
				assert.NoError(l.t, err)
			})
		}
		together.Wait()
		attached := 0
		for _, each := range started {
			require.Equal(l.t, started[0].Run.GetRunID(), each.Run.GetRunID())
			if each.Attached {
				attached++
			}
		}
		require.Equal(l.t, callers-1, attached)
		l.started(s, started[0].Run)
	}
	l.awaitAllInFlight()
	l.releaseModels()
}

// startedOtherwise starts running tasks with another request. The tasks run on, and the caller learns what differs.
func startedOtherwise(l *lab) {
	l.worker()
	l.plan(endsCompleted)
	for _, s := range l.subjects {
		first, err := contract.Start(l.t.Context(), stack.Temporal, s.request, contract.StartOptions{TaskQueue: l.queue})
		require.NoError(l.t, err)
		l.started(s, first.Run)
	}
	l.awaitAllInFlight()
	for _, s := range l.subjects {
		changed := s.request
		changed.TaskDescription = "Something else"
		_, err := contract.Start(l.t.Context(), stack.Temporal, changed, contract.StartOptions{TaskQueue: l.queue})
		var different *contract.DifferentRequestError
		require.ErrorAs(l.t, err, &different)
		require.Equal(l.t, []string{"task_description"}, different.Fields)
	}
	l.releaseModels()
}

var cancelFaults = []experiment{
	{
		name: "cancel while queued", run: cancelledQueued,
		allows: allowance{recovery: within(unansweredStop, endTogether), left: 5 * time.Second},
	},
	{
		name: "cancel while running", short: true, run: cancelledRunning,
		allows: allowance{recovery: within(endTogether), left: 5 * time.Second},
	},
	{
		name: "cancel between attempts", run: cancelledBetween,
		allows: allowance{recovery: within(endTogether), left: 5 * time.Second},
	},
}

var deadlineFaults = []experiment{
	{
		name: "deadline while queued", run: lateQueued,
		allows: allowance{recovery: within(queueOver, unansweredStop, endTogether), left: 5 * time.Second},
	},
	{
		name: "deadline while running", run: lateRunning,
		allows: allowance{recovery: within(deadlineOver, endTogether), left: 5 * time.Second},
	},
	{
		name: "deadline between attempts", run: lateBetween,
		allows: allowance{recovery: within(deadlineOver, endTogether), left: 5 * time.Second},
	},
}

func cancelledQueued(l *lab) {
	proxy := l.workerBehindProxy()
	proxy.Stop()
	l.begin(endsCancelled)
	l.awaitQueued()
	l.cancel()
	l.awaitEnds()
	require.NoError(l.t, proxy.Start())
	l.callsNeeded, l.answersNeeded = 0, 0
}

func cancelledRunning(l *lab) {
	l.worker()
	l.begin(endsCancelled)
	l.awaitAllInFlight()
	l.cancel()
	l.answersNeeded = 0
}

func cancelledBetween(l *lab) {
	l.beginWithModelDown(endsCancelled)
	stack.Eventually(l.t, "most agents have failed twice", func(c *assert.CollectT) {
		require.GreaterOrEqual(c, len(l.calls(c)), 2*l.turns)
	})
	l.pause()
	l.cancel()
	l.awaitEnds()
	l.expectNoMoreCalls()
}

func lateQueued(l *lab) {
	proxy := l.workerBehindProxy()
	proxy.Stop()
	l.begin(endsAtDeadline, queueTimeout(queueOver.lasts))
	l.endFault()
	l.awaitEnds()
	require.NoError(l.t, proxy.Start())
	l.callsNeeded, l.answersNeeded = 0, 0
}

func lateRunning(l *lab) {
	l.worker()
	l.begin(endsAtDeadline, timeout(deadlineOver.lasts))
	l.awaitAllInFlight()
	l.callsNeeded += l.turns // the model says nothing for half of the time that is left: each turn calls it again
	l.answersNeeded = 0
}

func lateBetween(l *lab) {
	l.beginWithModelDown(endsAtDeadline, timeout(deadlineOver.lasts))
	l.endFault()
	l.awaitEnds()
	l.expectNoMoreCalls()
}

// awaitQueued waits until every subject has a submit under way.
func (l *lab) awaitQueued() {
	l.t.Helper()
	for _, s := range l.subjects {
		stack.Eventually(l.t, "it is queued", func(c *assert.CollectT) {
			described, err := stack.Temporal.DescribeWorkflowExecution(l.t.Context(), s.run.GetID(), s.run.GetRunID())
			require.NoError(c, err)
			require.True(c, slices.ContainsFunc(described.GetPendingActivities(), func(pending *workflowpb.PendingActivityInfo) bool {
				return pending.GetActivityType().GetName() == contract.ActivitySubmitTurns
			}))
		})
	}
}

// cancel cancels every subject.
func (l *lab) cancel() {
	l.t.Helper()
	l.endFault()
	for _, s := range l.subjects {
		require.NoError(l.t, stack.Temporal.CancelWorkflow(l.t.Context(), s.run.GetID(), s.run.GetRunID()))
	}
}

// beginWithModelDown begins subjects whose every attempt fails. Most of the time their agents wait for the next
// attempt.
func (l *lab) beginWithModelDown(ends ending, edits ...func(*contract.Request)) {
	down := l.model("down")
	l.script(down, stack.Step{"status": 500})
	l.worker()
	l.begin(ends, append(edits, onlyModel(down), func(r *contract.Request) { r.Constraints.MaxRetries = new(20) })...)
}

// expectNoMoreCalls counts the calls so far as needed, and waits for others, which are beyond.
func (l *lab) expectNoMoreCalls() {
	l.callsNeeded, l.answersNeeded = len(l.calls(l.t)), 0
	time.Sleep(5 * time.Second)
}
