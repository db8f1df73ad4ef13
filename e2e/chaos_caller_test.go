//go:build integration

package e2e

import (
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// What callers and operators do.
var callerRows = slices.Concat([]row{
	{
		name: "duplicate start", story: startedTwice,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "start with a changed request", story: startedOtherwise,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
}, cancelRows, deadlineRows, commandRows)

// startedTwice: four callers start the same task at once; one of them starts it, the others attach.
func startedTwice(f *field) {
	const callers = 4
	f.worker()
	f.plan(endsCompleted)
	for _, tr := range f.trials {
		started := make([]contract.Started, callers)
		var together sync.WaitGroup
		for i := range started {
			together.Go(func() {
				var err error
				started[i], err = contract.Start(f.t.Context(), temporalClient, tr.request, contract.StartOptions{TaskQueue: f.queue})
				assert.NoError(f.t, err)
			})
		}
		together.Wait()
		attached := 0
		for _, each := range started {
			require.Equal(f.t, started[0].Run.GetRunID(), each.Run.GetRunID())
			if each.Attached {
				attached++
			}
		}
		require.Equal(f.t, callers-1, attached)
		f.accept(tr, started[0].Run)
	}
	f.running()
	f.release()
}

// startedOtherwise: the task runs on as it was started, and the caller learns what differs.
func startedOtherwise(f *field) {
	f.worker()
	f.plan(endsCompleted)
	for _, tr := range f.trials {
		first, err := contract.Start(f.t.Context(), temporalClient, tr.request, contract.StartOptions{TaskQueue: f.queue})
		require.NoError(f.t, err)
		f.accept(tr, first.Run)
	}
	f.running()
	for _, tr := range f.trials {
		changed := tr.request
		changed.TaskDescription = "Something else"
		_, err := contract.Start(f.t.Context(), temporalClient, changed, contract.StartOptions{TaskQueue: f.queue})
		var different *contract.DifferentRequestError
		require.ErrorAs(f.t, err, &different)
		require.Equal(f.t, []string{"task_description"}, different.Fields)
	}
	f.release()
}

var cancelRows = []row{
	{
		name: "cancel while queued", story: cancelledQueued,
		allows: allowance{recovery: unanswered + bustle, left: 5 * time.Second},
	},
	{
		name: "cancel while running", quick: true, story: cancelledRunning,
		allows: allowance{recovery: bustle, left: 5 * time.Second},
	},
	{
		name: "cancel between attempts", story: cancelledBetween,
		allows: allowance{recovery: bustle, left: 5 * time.Second},
	},
}

var deadlineRows = []row{
	{
		name: "deadline while queued", story: lateQueued,
		allows: allowance{recovery: 20*time.Second + unanswered + bustle, left: 5 * time.Second},
	},
	{
		name: "deadline while running", story: lateRunning,
		allows: allowance{recovery: 30*time.Second + bustle, left: 5 * time.Second},
	},
	{
		name: "deadline between attempts", story: lateBetween,
		allows: allowance{recovery: 30*time.Second + bustle, left: 5 * time.Second},
	},
}

func cancelledQueued(f *field) {
	proxy := f.workerBehindProxy()
	proxy.Stop()
	f.begin(endsCancelled)
	f.queued()
	f.cancel()
	f.settle()
	require.NoError(f.t, proxy.Start())
	f.calls, f.answers = 0, 0
}

func cancelledRunning(f *field) {
	f.worker()
	f.begin(endsCancelled)
	f.running()
	f.cancel()
	f.answers = 0
}

func cancelledBetween(f *field) {
	f.downModel(endsCancelled)
	eventually(f.t, "most agents have failed twice", func(c *assert.CollectT) {
		require.GreaterOrEqual(c, len(f.made(c)), 2*f.turns)
	})
	f.moment()
	f.cancel()
	f.settle()
	f.nothingMore()
}

func lateQueued(f *field) {
	proxy := f.workerBehindProxy()
	proxy.Stop()
	f.begin(endsAtDeadline, func(r *contract.Request) { r.Constraints.QueueTimeoutSeconds = f.seconds(20) })
	f.over()
	f.settle()
	require.NoError(f.t, proxy.Start())
	f.calls, f.answers = 0, 0
}

func lateRunning(f *field) {
	f.worker()
	f.begin(endsAtDeadline, func(r *contract.Request) { r.Constraints.TimeoutSeconds = f.seconds(30) })
	f.running()
	f.answers = 0
}

func lateBetween(f *field) {
	f.downModel(endsAtDeadline, func(r *contract.Request) { r.Constraints.TimeoutSeconds = f.seconds(30) })
	f.over()
	f.settle()
	f.nothingMore()
}

// queued waits until every deliberation has a submission on its way.
func (f *field) queued() {
	f.t.Helper()
	for _, tr := range f.trials {
		eventually(f.t, "it is queued", func(c *assert.CollectT) {
			described, err := temporalClient.DescribeWorkflowExecution(f.t.Context(), tr.run.GetID(), tr.run.GetRunID())
			require.NoError(c, err)
			require.True(c, slices.ContainsFunc(described.GetPendingActivities(), func(pending *workflowpb.PendingActivityInfo) bool {
				return pending.GetActivityType().GetName() == workflows.SubmitTurns.Name()
			}))
		})
	}
}

// cancel asks every deliberation to end.
func (f *field) cancel() {
	f.t.Helper()
	f.over()
	for _, tr := range f.trials {
		require.NoError(f.t, temporalClient.CancelWorkflow(f.t.Context(), tr.run.GetID(), tr.run.GetRunID()))
	}
}

// downModel lets every attempt fail: most of the time an agent waits for its next one.
func (f *field) downModel(ends ending, edits ...func(*contract.Request)) {
	down := f.model("down")
	f.script(down, step{"status": 503})
	f.worker()
	f.begin(ends, append(edits, only(down), func(r *contract.Request) { r.Constraints.MaxRetries = new(20) })...)
}

// nothingMore makes the calls so far the necessary ones: those after the end are beyond.
func (f *field) nothingMore() {
	f.calls, f.answers = len(f.made(f.t)), 0
	time.Sleep(5 * time.Second)
}
