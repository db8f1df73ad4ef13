//go:build integration

package chaos

import (
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

var workerFaults = []experiment{
	{
		name: "worker SIGKILL", short: true, run: workerKilled,
		allows: allowance{recovery: within(deadWorker, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "worker SIGTERM", short: true, run: workerToldToStop,
		allows: allowance{recovery: within(slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "two workers, one dies", run: oneOfTwoWorkersDies,
		allows: allowance{recovery: within(deadWorker, slowestAnswer, endTogether), left: 5 * time.Second},
	},
}

func workerKilled(l *lab) {
	first := l.worker()
	l.begin(endsCompleted)
	l.awaitAnswering()
	l.endFault()
	first.Kill(l.t)
	l.worker()
}

func workerToldToStop(l *lab) {
	first := l.worker()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	l.worker()
	l.releaseModels()
	l.pause()
	l.endFault()
	first.Terminate(l.t)
	require.NoError(l.t, first.Wait())
}

func oneOfTwoWorkersDies(l *lab) {
	two := []*stack.Worker{l.worker(), l.worker()}
	l.begin(endsCompleted)
	l.awaitAnswering()
	l.endFault()
	two[l.chance.IntN(len(two))].Kill(l.t)
}
