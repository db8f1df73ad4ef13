//go:build integration

package e2e

import (
	"context"
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	temporalworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

var executions = flag.Int("executions", 1000, "how many there are at most when time is measured; make statistics takes 10000")

// The runs of this test time out, since no worker polls their queue. Only their number in visibility matters.
func TestStatisticsTakeNoLongerWhenMoreHaveEnded(t *testing.T) {
	l := newLedger(t)
	var few cost
	for size := 100; size <= *executions; size *= 10 {
		l.grow(t, size)
		begin := time.Now()
		require.Equal(t, int64(size), l.refresh(t).TimedOut)
		caughtUp := time.Since(begin)
		l.fiveMinutesLater(t)

		now := l.measure(t)
		t.Logf("%d executions: caught up in %s, then query %s, refresh %s, which reads %d runs with %d requests",
			size, caughtUp, now.query, now.refresh, now.runs, now.requests)

		require.Equal(t, int64(size), l.stats(t).TimedOut)
		require.Equal(t, []int64{0, 2}, []int64{now.runs, now.requests}, "runs that are rolled up are not read again")
		if few == (cost{}) {
			few = now
		}
		require.Less(t, now.query, few.query+100*time.Millisecond, "a busy machine adds to it")
		require.Less(t, now.refresh, few.refresh+time.Second)
	}
}

// ledger is a namespace for statistics. It counts what they read from visibility.
type ledger struct {
	space

	queue    string
	size     int
	requests atomic.Int64
	runs     atomic.Int64
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{space: newSpace(t, "flat"), queue: "flat"}
	counting := temporalworker.New(l.Client, l.queue, temporalworker.Options{DisableRegistrationAliasing: true, DeadlockDetectionTimeout: stack.Patience})
	workflows.Register(counting, nil)
	activities.Register(activities.Workers{Main: counting, Submit: counting, Wait: counting}, activities.Dependencies{Temporal: l})
	require.NoError(t, counting.Start())
	t.Cleanup(counting.Stop)
	l.count(t, l.queue, contract.StatsState{})
	return l
}

// ListWorkflow counts requests and runs.
func (l *ledger) ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	page, err := l.Client.ListWorkflow(ctx, in)
	l.requests.Add(1)
	l.runs.Add(int64(len(page.GetExecutions())))
	return page, err
}

// grow lets more runs end, until their number is the size.
func (l *ledger) grow(t *testing.T, size int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(atOnce)
	for ; l.size < size; l.size++ {
		id := fmt.Sprintf("run-%d", l.size)
		group.Go(func() error {
			_, err := l.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: id, TaskQueue: "nobody's", WorkflowExecutionTimeout: time.Second,
			}, contract.DeliberationName)
			return err
		})
	}
	require.NoError(t, group.Wait())
	l.settles(t, size, 0)
}

// fiveMinutesLater restarts the statistics in the state in which no run that they have seen is read again. They
// forget what they have seen by intervals of [contract.SeenWithin], so the last run's interval must be over.
func (l *ledger) fiveMinutesLater(t *testing.T) {
	t.Helper()
	time.Sleep(time.Until(time.Now().Truncate(contract.SeenWithin).Add(contract.SeenWithin)))
	l.refresh(t)
	described, err := l.DescribeWorkflowExecution(t.Context(), contract.StatsID, "")
	require.NoError(t, err)
	run := workflow.Execution{ID: contract.StatsID, RunID: described.GetWorkflowExecutionInfo().GetExecution().GetRunId()}
	require.NoError(t, l.TerminateWorkflow(t.Context(), run.ID, run.RunID, "goes on later"))
	state, err := runs.LastStats(t.Context(), l, run)
	require.NoError(t, err)
	state.RollUp.RereadFrom, state.RollUp.Seen = state.RollUp.Watermark.Truncate(contract.SeenWithin), nil
	l.count(t, l.queue, state)
	l.refresh(t)
}

// cost is the time of the fastest of several tries: everything else on the machine only adds to it.
type cost struct {
	query, refresh time.Duration
	runs, requests int64 // that one refresh reads from visibility
}

func (l *ledger) measure(t *testing.T) cost {
	t.Helper()
	const refreshes = 5
	l.requests.Store(0)
	l.runs.Store(0)
	query := fastest(t, 50, rate.Inf, func() {
		answer, err := l.QueryWorkflow(t.Context(), contract.StatsID, "", contract.QueryStats)
		require.NoError(t, err)
		require.NoError(t, answer.Get(new(contract.Stats)))
	})
	require.Zero(t, l.requests.Load(), "a query reads nothing")
	// One a second, since counts are paced: a faster one would wait.
	refresh := fastest(t, refreshes, 1, func() { l.refresh(t) })
	return cost{query: query, refresh: refresh, runs: l.runs.Load(), requests: l.requests.Load() / refreshes}
}

func fastest(t *testing.T, times int, pace rate.Limit, do func()) time.Duration {
	t.Helper()
	best, paced := time.Hour, rate.NewLimiter(pace, 1)
	for range times {
		require.NoError(t, paced.Wait(t.Context()))
		begin := time.Now()
		do()
		best = min(best, time.Since(begin))
	}
	return best
}
