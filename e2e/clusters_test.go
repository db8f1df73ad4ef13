//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// Both names lead to the one Ray app of the stack, the first of them through a proxy.
func TestAClusterThatIsGoneLosesItsTurnsToAnother(t *testing.T) {
	queue := queueOf(t)
	proxy, url := proxyToRay(t)
	w := startWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+url+",second="+stack.RayAppURL, "DELIBERATION_RAY_GRACE=3s")
	model := modelOf(t, "slow")
	script(t, model, hangsFirst(2, answers("0.7"))...)
	run := begin(t, queue, requestOf(t, agents(model, model)))
	running(t, model, 2)
	waitedFor(t, run, 2)
	for _, agent := range status(t, run).Agents {
		require.Equal(t, "first", agent.Cluster)
	}

	proxy.Stop()

	got := result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, "second", got.BestResult.Metadata["cluster"])
	require.Equal(t, 2, got.BestResult.Attempts)
	require.Len(t, calls(t, model), 4, "one more call for each turn that was left behind")
	shown := starter(t, "clusters", "--worker", w.address)
	requireAll(t, shown.stdout, "first", "second", "yes")
}

func TestAClusterThatComesBackIsRidOfWhatWasLeftThere(t *testing.T) {
	queue := queueOf(t)
	proxy, url := proxyToRay(t)
	startWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+url+",second="+stack.RayAppURL, "DELIBERATION_RAY_GRACE=3s")
	model := modelOf(t, "slow")
	script(t, model, hangs())
	run := begin(t, queue, requestOf(t, agents(model)))
	running(t, model, 1)
	waitedFor(t, run, 1)
	proxy.Stop()
	running(t, model, 2)

	require.NoError(t, proxy.Start())

	eventually(t, "the turn on the first cluster is stopped", func(c *assert.CollectT) {
		require.Equal(c, 1, openCalls(c, model))
		require.Len(c, calls(c, model), 2)
	})
	require.Equal(t, domain.StatusRunning, status(t, run).Status)
	require.Zero(t, starter(t, "cancel", run.GetID()).code)
	eventually(t, "nothing runs on", func(c *assert.CollectT) { require.Zero(c, openCalls(c, model)) })
}

func TestWithAllClustersAwayADeliberationIsQueued(t *testing.T) {
	queue := queueOf(t)
	first, firstURL := proxyToRay(t)
	second, secondURL := proxyToRay(t)
	first.Stop()
	second.Stop()
	startWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+firstURL+",second="+secondURL, "DELIBERATION_RAY_GRACE=3s")
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	run := begin(t, queue, requestOf(t, agents(model)))
	eventually(t, "it says that it is queued", func(c *assert.CollectT) { require.Equal(c, "queued", status(c, run).Phase) })

	require.NoError(t, second.Start())

	got := result(t, run)
	require.Equal(t, "second", got.BestResult.Metadata["cluster"], "where there is room, and not where it was placed at first")
	require.Len(t, calls(t, model), 1)
}
