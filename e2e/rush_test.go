//go:build integration

package e2e

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

var rushMany = flag.Int("rush", 0, "of TestRush: deliberations that are started at once; 0 skips it")

const (
	// rushInRay is how many turns of one model the stack's two runners hold at most. Each of them makes 256 calls,
	// and lets turns wait until more than 256 do; one more council of 64 may come at that moment.
	rushInRay = 2 * (256 + 256 + 64)
	// rushWithin is enough for a small machine, whose Temporal ends about five deliberations a second.
	rushWithin = 50 * time.Minute
)

// TestRush starts many deliberations while the model answers none. They must queue in Temporal, and none may fail
// because it has queued.
func TestRush(t *testing.T) {
	if *rushMany == 0 {
		t.Skip("it takes its time: make rush")
	}
	queue, model := stack.Task(t), stack.Model(t, "held")
	stack.Script(t, model, stack.Holds())
	w := stack.StartWorker(t, queue, "NATS_URL=") // events would double the writes of Temporal
	began := time.Now()
	startRush(t, queue, model)
	started := time.Since(began)

	held := 0
	stack.Eventually(t, "Ray takes no more", func(c *assert.CollectT) {
		before := held
		held = len(stack.TurnsOn(c, stack.At.RayAppURL))
		require.Equal(c, before, held)
		require.Positive(c, held)
		time.Sleep(12 * time.Second) // longer than the pause between two tries of a submit
	})
	t.Logf("%d started in %s; %d turns on Ray, the others wait in Temporal; worker %.0f MiB", *rushMany, started, held, stack.ResidentMiB(w.PID()))
	require.LessOrEqual(t, held, rushInRay)

	stack.Release(t, model)
	released := time.Now()
	most := 0
	for until := time.Now().Add(rushWithin); countOf(t, queue, "Running") > 0 && time.Now().Before(until); time.Sleep(5 * time.Second) {
		var turns []stack.Turn
		stack.Eventually(t, "Ray lists its turns", func(c *assert.CollectT) { turns = stack.TurnsOn(c, stack.At.RayAppURL) }) // again, while it is busy
		most = max(most, len(slices.DeleteFunc(turns, func(each stack.Turn) bool { return !each.Unfinished() })))
	}
	t.Logf("the last one ended %s later; at most %d turns worked on Ray; worker %.0f MiB", time.Since(released), most, stack.ResidentMiB(w.PID()))
	require.Equal(t, *rushMany, countOf(t, queue, "Completed"), "of all that were started")
	require.LessOrEqual(t, most, rushInRay)
	require.Len(t, stack.Calls(t, model), *rushMany, "one call each")
}

func startRush(t *testing.T, queue, model string) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(32)
	for n := range *rushMany {
		request := stack.Request(t, stack.Agents(model))
		request.TaskID = fmt.Sprintf("%s-%d", queue, n)
		request.Constraints.TimeoutSeconds = new(3600) // the first ones in Ray wait until the last one has started
		group.Go(func() error {
			_, err := stack.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: request.TaskID, TaskQueue: queue,
			}, contract.DeliberationName, request)
			return err
		})
	}
	require.NoError(t, group.Wait())
}

// countOf asks visibility until its answer stays the same: it learns of everything a moment later.
func countOf(t *testing.T, queue, status string) (count int) {
	t.Helper()
	var before int64 = -1
	stack.Eventually(t, "visibility has caught up", func(c *assert.CollectT) {
		counted, err := stack.Temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: fmt.Sprintf("TaskQueue='%s' AND WorkflowType='%s' AND ExecutionStatus='%s'", queue, contract.DeliberationName, status),
		})
		require.NoError(c, err)
		settled := counted.GetCount() == before
		before = counted.GetCount()
		require.True(c, settled)
	})
	return int(before)
}
