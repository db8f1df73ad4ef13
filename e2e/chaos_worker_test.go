//go:build integration

package e2e

import (
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

var workerRows = []row{
	{
		name: "worker SIGKILL", quick: true, story: workerKilled,
		allows: allowance{recovery: heartbeat + slowest + 20*time.Second, left: 5 * time.Second},
	},
	{
		name: "worker SIGTERM", quick: true, story: workerToldToStop,
		allows: allowance{recovery: slowest + bustle, left: 5 * time.Second},
	},
	{
		name: "two workers, one dies", story: oneOfTwoWorkersDies,
		allows: allowance{recovery: heartbeat + slowest + 20*time.Second, left: 5 * time.Second},
	},
}

func workerKilled(f *field) {
	first := f.worker()
	f.begin(endsCompleted)
	f.midway()
	f.over()
	first.kill(f.t)
	f.worker()
}

func workerToldToStop(f *field) {
	first := f.worker()
	f.begin(endsCompleted)
	f.running()
	f.worker()
	f.release()
	f.moment()
	f.over()
	require.NoError(f.t, first.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(f.t, first.cmd.Wait())
}

func oneOfTwoWorkersDies(f *field) {
	two := []*worker{f.worker(), f.worker()}
	f.begin(endsCompleted)
	f.midway()
	f.over()
	two[f.chance.IntN(len(two))].kill(f.t)
}
