//go:build integration

package e2e

import (
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// What dies here is shared by all that runs on the stack's Ray.
var rayRows = []row{
	{
		name: "runner killed", alone: true, story: runnerKilled,
		allows: allowance{unheard: true, recovery: 2*slowest + 20*time.Second, left: 5 * time.Second},
	},
	{
		name: "gateway replica killed", alone: true, story: gatewayKilled,
		allows: allowance{recovery: slowest + 40*time.Second, left: 5 * time.Second},
	},
	{
		name: "Ray stopped and started", alone: true, story: rayRestarted,
		allows: allowance{unheard: true, recovery: slowest + 90*time.Second, left: 5 * time.Second},
	},
}

func runnerKilled(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.midway()
	all := runners(f.t)
	victim := all[f.chance.IntN(len(all))]
	f.lose(stack.RayAppURL, victim.Name)
	f.over()
	require.NoError(f.t, syscall.Kill(victim.PID, syscall.SIGKILL))
}

func gatewayKilled(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.midway()
	f.over()
	require.NoError(f.t, syscall.Kill(rayProcess(f.t, "ray::ServeReplica:deliberation:"), syscall.SIGKILL))
}

func rayRestarted(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.midway()
	f.lose(stack.RayAppURL, "")
	control(f.t, "stop", "ray")
	control(f.t, "start", "ray")
	f.over()
}
