//go:build integration

package chaos

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

// Faults of one of two clusters. The workers prefer the second Ray of the stack, which nothing else uses. A turn
// that is placed on the other cluster is a new call.
var clusterFaults = []experiment{
	{
		name: "cluster 1 of 2 comes back", alone: true, run: firstClusterComesBack,
		allows: allowance{recovery: within(nextStop, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "cluster 1 of 2 dies for good", alone: true, run: firstClusterDies,
		allows: allowance{answersDie: true, recovery: within(graceOver, nextTry, slowestAnswer, endTogether), left: 5 * time.Second},
	},
}

func firstClusterComesBack(l *lab) {
	proxy, listen := stack.ProxyTo(l.t, stack.HostOf(l.t, stack.At.Ray2AppURL))
	l.clusters = append(l.clusters, stack.At.Ray2AppURL)
	l.workerPreferring("http://" + listen + "/deliberation")
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.doom(stack.At.Ray2AppURL, everyRunner)
	require.Len(l.t, l.doomed, l.turns, "all turns are on the first cluster")
	proxy.Stop()
	l.awaitOpenCalls(2 * l.turns)
	require.NoError(l.t, proxy.Start())
	l.endFault()
	l.awaitAllInFlight() // once more: the turns on the first cluster are stopped
	l.releaseModels()
}

func firstClusterDies(l *lab) {
	l.workerPreferring(stack.At.Ray2AppURL)
	l.begin(endsCompleted)
	l.awaitAnswering()
	l.doom(stack.At.Ray2AppURL, everyRunner)
	l.t.Cleanup(func() { stack.Start(l.t, "ray2") })
	stack.Stop(l.t, "ray2")
	l.endFault()
}

// workerPreferring starts a worker that prefers a first cluster to the stack's own.
func (l *lab) workerPreferring(first string) {
	l.t.Helper()
	require.True(l.t, stack.HasSecondRay(), "no second Ray: start the stack --with ray2,rayapp2")
	stack.Eventually(l.t, "the second Ray has its app", func(c *assert.CollectT) { stack.TurnsOn(c, stack.At.Ray2AppURL) })
	l.worker("DELIBERATION_RAY_CLUSTERS=one="+first+",two="+stack.At.RayAppURL, "DELIBERATION_RAY_GRACE="+grace.String())
}
