//go:build integration

package e2e

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	grace     = 10 * time.Second
	stopAgain = 20 * time.Second // between two tries to stop what was left on a cluster that is away
)

// Two clusters: the first one is the second Ray of the stack, which nothing else uses. Turns that are
// placed anew are paid for anew.
var clusterRows = []row{
	{
		name: "cluster 1 of 2 comes back", alone: true, story: firstClusterComesBack,
		allows: allowance{recovery: stopAgain + slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "cluster 1 of 2 dies for good", alone: true, story: firstClusterDies,
		allows: allowance{unheard: true, recovery: grace + slowest + 30*time.Second, left: 5 * time.Second},
	},
}

func firstClusterComesBack(f *field) {
	proxy, listen := proxyTo(f.t, hostOf(f.t, stack.Ray2AppURL))
	f.clusters = append(f.clusters, stack.Ray2AppURL)
	f.workerPreferring("http://" + listen + "/deliberation")
	f.begin(endsCompleted)
	f.running()
	f.lose(stack.Ray2AppURL, "")
	require.Len(f.t, f.lost, f.turns, "all turns are on the first cluster")
	proxy.Stop()
	f.holding(2 * f.turns)
	require.NoError(f.t, proxy.Start())
	f.over()
	f.running() // again: the old turns are stopped
	f.release()
}

func firstClusterDies(f *field) {
	f.workerPreferring(stack.Ray2AppURL)
	f.begin(endsCompleted)
	f.midway()
	f.lose(stack.Ray2AppURL, "")
	f.t.Cleanup(func() { control(f.t, "start", "ray2") })
	control(f.t, "stop", "ray2")
	f.over()
}

// workerPreferring starts a worker that knows a first cluster beside the stack's own.
func (f *field) workerPreferring(first string) {
	f.t.Helper()
	require.NotEmpty(f.t, stack.Ray2AppURL, "no second Ray: start the stack --with ray2,rayapp2")
	eventually(f.t, "the second Ray has its app", func(c *assert.CollectT) { turnsOf(c, stack.Ray2AppURL) })
	f.worker("DELIBERATION_RAY_CLUSTERS=one="+first+",two="+stack.RayAppURL, "DELIBERATION_RAY_GRACE="+grace.String())
}
