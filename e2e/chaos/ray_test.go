//go:build integration

package chaos

import (
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

// What dies here is shared by all experiments, so each of these runs alone.
var rayFaults = []experiment{
	{
		name: "runner killed", alone: true, run: runnerKilled,
		allows: allowance{answersDie: true, recovery: within(slowestAnswer, askedAgain, endTogether), left: 5 * time.Second},
	},
	{
		name: "gateway replica killed", alone: true, run: gatewayKilled,
		allows: allowance{recovery: within(newGateway, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "Ray stopped and started", alone: true, run: rayRestarted,
		allows: allowance{answersDie: true, recovery: within(newRay, slowestAnswer, endTogether), left: 5 * time.Second},
	},
}

func runnerKilled(l *lab) {
	worker := l.worker()
	l.begin(endsCompleted)
	l.awaitAnswering()
	all := stack.Runners(l.t)
	victim := all[l.chance.IntN(len(all))]
	thaw := l.freezeIfReviewed(worker)
	l.doom(stack.At.RayAppURL, victim.Name)
	l.endFault()
	require.NoError(l.t, syscall.Kill(victim.PID, syscall.SIGKILL))
	thaw()
}

func gatewayKilled(l *lab) {
	l.worker()
	l.begin(endsCompleted)
	l.awaitAnswering()
	l.endFault()
	require.NoError(l.t, syscall.Kill(stack.RayProcess(l.t, "ray::ServeReplica:deliberation:"), syscall.SIGKILL))
}

func rayRestarted(l *lab) {
	worker := l.worker()
	l.begin(endsCompleted)
	l.awaitAnswering()
	thaw := l.freezeIfReviewed(worker)
	l.doom(stack.At.RayAppURL, everyRunner)
	stack.Stop(l.t, "ray")
	thaw()
	stack.Start(l.t, "ray")
	l.endFault()
}
