//go:build integration

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// measureStart starts a worker while a deliberation waits for one, until the model gets its first call.
func measureStart(t *testing.T, r *report) {
	t.Helper()
	m := newModel(t)
	var ours series
	for range *repetitions {
		queue := stack.Task(t)
		name := "instant/" + queue
		_, err := stack.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: queue, TaskQueue: queue},
			contract.DeliberationName, m.council(1, name)(queue))
		require.NoError(t, err)
		began := time.Now()
		w := stack.StartWorker(t, queue)
		stack.Eventually(t, "the model is called", func(c *assert.CollectT) { require.False(c, m.firstCall(name).IsZero()) })
		ours = append(ours, m.firstCall(name).Sub(began).Seconds())
		w.Terminate(t)
		_ = w.Wait()
	}
	r.add(line{second: true, what: "worker start until the first deliberation is accepted, s", against: "–", ours: ours, target: "≤ 1", met: ours.median() <= 1, short: shortStart})
}
