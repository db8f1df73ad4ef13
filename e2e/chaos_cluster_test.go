//go:build integration

package e2e

import (
	"time"

	"github.com/stretchr/testify/require"
)

const grace = 10 * time.Second

// Two clusters: the first one is the second Ray of the stack, which nothing else uses. Turns that are
// placed anew are paid for anew.
var clusterRows = []row{
	{
		name: "cluster 1 of 2 comes back", alone: true, story: firstClusterComesBack,
		allows: allowance{recovery: grace + slowest + 40*time.Second, left: 4 * time.Minute},
	},
	{
		name: "cluster 1 of 2 dies for good", alone: true, story: firstClusterDies,
		allows: allowance{recovery: grace + slowest + 40*time.Second, left: 5 * time.Second},
	},
}

func firstClusterComesBack(f *field) {
	proxy, listen := proxyTo(f.t, hostOf(f.t, stack.Ray2AppURL))
	f.clusters = append(f.clusters, stack.Ray2AppURL)
	f.workerOn("http://" + listen + "/deliberation")
	f.begin(endsCompleted)
	f.running()
	f.lose(stack.Ray2AppURL, "")
	require.Equal(f.t, f.turns, f.died, "all turns are on the first cluster")
	proxy.Stop()
	f.over()
	time.Sleep(2 * grace)
	f.release()
	require.NoError(f.t, proxy.Start())
}

func firstClusterDies(f *field) {
	f.workerOn(stack.Ray2AppURL)
	f.begin(endsCompleted)
	f.midway()
	f.lose(stack.Ray2AppURL, "")
	control(f.t, "stop", "ray2")
	f.over()
}

// workerOn starts a worker that prefers a first cluster to the stack's own.
func (f *field) workerOn(first string) {
	f.t.Helper()
	require.NotEmpty(f.t, stack.Ray2AppURL, "no second Ray: start the stack --with ray2,rayapp2")
	f.worker("DELIBERATION_RAY_CLUSTERS=one="+first+",two="+stack.RayAppURL, "DELIBERATION_RAY_GRACE="+grace.String())
}
