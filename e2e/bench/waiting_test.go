//go:build integration

package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	largest = 64 // agents of a council at most
	watched = 20 * time.Second
)

// measureWaiting reads the processor time while nothing runs, and while 1,000 turns wait for a model that
// doesn't answer.
func measureWaiting(t *testing.T, r *report) {
	t.Helper()
	m := newModel(t)
	w, queue := worker(t)
	parts := processesOf(t, w)
	const councils = 16
	idle := watch(t, parts)
	runs := beginAll(t, queue, councils, m.council(largest, modelNames("hang", 8)...))
	stack.Eventually(t, "all turns wait", func(c *assert.CollectT) { require.Equal(c, int64(councils*largest), m.open.Load()) })
	time.Sleep(5 * time.Second) // the starts settle
	busy := watch(t, parts)
	cancelAll(t, runs)

	share := func(u map[string]series, part string) series { return u[part] }
	ours, base := busy["all"], idle["all"]
	over := ours.median() - base.median()
	r.add(line{
		second: true, what: "1,024 waiting turns: CPU of worker, Temporal and Ray app, % of a core", against: "idle", base: base, ours: ours,
		target: "≤ 10 more than idle", met: over <= 10, short: shortBeats,
		note: fmt.Sprintf("worker %s, Temporal %s, Ray app %s", share(busy, "worker"), share(busy, "temporal"), share(busy, "ray")),
	})
	r.plot("waiting", "CPU while 1,024 turns wait, % of a core", bar{"idle", base}, bar{"waiting", ours},
		bar{"of it the worker", busy["worker"]}, bar{"of it Temporal", busy["temporal"]}, bar{"of it the Ray app", busy["ray"]})
}

// watch reads the processor time of the parts, in percent of a core.
func watch(t *testing.T, parts processes) map[string]series {
	t.Helper()
	found := map[string]series{}
	for range *repetitions {
		before := parts.seconds(t)
		time.Sleep(watched)
		spent := parts.seconds(t).since(before)
		spent["ray"] = spent.onRay()
		spent["all"] = spent["ray"] + spent["worker"] + spent["temporal"]
		for part, used := range spent {
			found[part] = append(found[part], 100*used/watched.Seconds())
		}
	}
	return found
}

// modelNames returns names of models that do the same. A model has its own limit of calls at a time on Ray.
func modelNames(does string, count int) []string {
	names := make([]string, 0, count)
	for n := range count {
		names = append(names, fmt.Sprintf("%s/%d", does, n))
	}
	return names
}

// beginAll starts deliberations and doesn't wait for them.
func beginAll(t *testing.T, queue string, count int, of func(id string) contract.Request) []client.WorkflowRun {
	t.Helper()
	runs := make([]client.WorkflowRun, 0, count)
	for n := range count {
		id := fmt.Sprintf("%s-%d", stack.Task(t), n)
		begun, err := stack.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, contract.DeliberationName, of(id))
		require.NoError(t, err)
		runs = append(runs, begun)
	}
	return runs
}

// cancelAll cancels deliberations and waits for their ends.
func cancelAll(t *testing.T, runs []client.WorkflowRun) {
	t.Helper()
	for _, each := range runs {
		require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), each.GetID(), each.GetRunID()))
	}
	for _, each := range runs {
		_ = each.Get(t.Context(), nil)
	}
}
