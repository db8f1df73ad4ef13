//go:build integration

package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
)

// In these tests both clusters are the one Ray app of the stack. The first one is reached through a proxy.
func TestTurnsOfAClusterThatIsGoneMoveToAnotherOne(t *testing.T) {
	queue := stack.Queue(t)
	proxy, url := stack.ProxyToRay(t)
	w := stack.StartWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+url+",second="+stack.At.RayAppURL, "DELIBERATION_RAY_GRACE=3s")
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.HangsFirst(2, stack.Answers("0.7"))...)
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model, model)))
	stack.AwaitOpenCalls(t, model, 2)
	stack.AwaitPolls(t, run, 2)
	for _, agent := range stack.Status(t, run).Agents {
		require.Equal(t, "first", agent.Cluster)
	}

	proxy.Stop()

	got := stack.Result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Equal(t, "second", got.BestResult.Metadata["cluster"])
	require.Equal(t, 2, got.BestResult.Attempts)
	require.Len(t, stack.Calls(t, model), 4, "one more call for each turn that was left on the first cluster")
	shown := stack.Starter(t, "clusters", "--worker", w.Address)
	requireAll(t, shown.Stdout, "first", "second", "yes")
}

func TestTurnsLeftOnAClusterAreStoppedWhenItComesBack(t *testing.T) {
	queue := stack.Queue(t)
	proxy, url := stack.ProxyToRay(t)
	stack.StartWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+url+",second="+stack.At.RayAppURL, "DELIBERATION_RAY_GRACE=3s")
	model := stack.Model(t, "slow")
	stack.Script(t, model, stack.Hangs())
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.AwaitOpenCalls(t, model, 1)
	stack.AwaitPolls(t, run, 1)
	proxy.Stop()
	stack.AwaitOpenCalls(t, model, 2)

	require.NoError(t, proxy.Start())

	stack.Eventually(t, "the turn on the first cluster is stopped", func(c *assert.CollectT) {
		require.Equal(c, 1, stack.OpenCalls(c, model))
		require.Len(c, stack.Calls(c, model), 2)
	})
	require.Equal(t, domain.StatusRunning, stack.Status(t, run).Status)
	require.Zero(t, stack.Starter(t, "cancel", run.GetID()).Code)
	stack.Eventually(t, "nothing runs on", func(c *assert.CollectT) { require.Zero(c, stack.OpenCalls(c, model)) })
}

func TestADeliberationIsQueuedWhileAllClustersAreAway(t *testing.T) {
	queue := stack.Queue(t)
	first, firstURL := stack.ProxyToRay(t)
	second, secondURL := stack.ProxyToRay(t)
	first.Stop()
	second.Stop()
	stack.StartWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=first="+firstURL+",second="+secondURL, "DELIBERATION_RAY_GRACE=3s")
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.Eventually(t, "it says that it is queued", func(c *assert.CollectT) { require.Equal(c, "queued", stack.Status(c, run).Phase) })

	require.NoError(t, second.Start())

	got := stack.Result(t, run)
	require.Equal(t, "second", got.BestResult.Metadata["cluster"], "the cluster with room, and not the one of the first placement")
	require.Len(t, stack.Calls(t, model), 1)
}
