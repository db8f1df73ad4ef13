//go:build integration

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

const rushed = 2000

// measureRush starts 2,000 workflows at once, once: those that do nothing, then deliberations of one agent.
func measureRush(t *testing.T, r *report) {
	t.Helper()
	m, plain := newModel(t), workPlainly(t)
	w, queue := worker(t)
	request := m.council(1, "instant")
	run(t, 10, 10, deliberate(queue, request))
	parts := processesOf(t, w)
	calls := m.calls.Load()
	base := rush(t, plain, func(string) (any, any) { return plainWorkflow, []int{1, 1} })
	ours := rush(t, queue, func(id string) (any, any) { return contract.DeliberationName, request(id) })
	calls = m.calls.Load() - calls
	factor := series{ours.median() / base.median()}
	r.add(line{
		second: true, what: "2,000 started at once, s until all have ended", against: "the no-op (once a run)", base: base, ours: ours,
		ratio: factor, target: "≤ 2 ×, one call each", met: factor.median() <= 2 && calls == rushed, short: shortThroughput,
		note: fmt.Sprintf("%d calls; then the worker holds %.0f MB, the runners %.0f MB", calls, parts.megabytes("worker"), parts.megabytes("runner")),
	})
	r.plot("rush", "2,000 at once: s until all have ended", bar{"no-op workflow", base}, bar{"deliberation of one agent", ours})
}

// rush starts workflows as fast as the server takes them, then waits for all, and returns the seconds.
func rush(t *testing.T, queue string, of func(id string) (workflow, input any)) series {
	t.Helper()
	const starters = 64 // with more, starts time out on the dev server's one connection to its database
	runs := make([]client.WorkflowRun, rushed)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(starters)
	began := time.Now()
	for n := range runs {
		id := fmt.Sprintf("%s-%d", stack.Task(t), n)
		group.Go(func() (err error) {
			workflow, input := of(id)
			runs[n], err = stack.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, workflow, input)
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, each := range runs {
		require.NoError(t, each.Get(context.Background(), nil))
	}
	return series{time.Since(began).Seconds()}
}
