//go:build integration

package e2e

import (
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// What an operator does with the temporal command.
var commandRows = []row{
	{
		name: "terminate from the CLI", alone: true, story: terminatedByCommand,
		allows: allowance{recovery: 60 * time.Second, left: 4 * time.Minute},
	},
	{
		name: "reset from the CLI", story: resetByCommand,
		allows: allowance{recovery: slowest + 30*time.Second, left: 5 * time.Second},
	},
	{
		name: "activity paused, reset and resumed", story: pausedByCommand,
		allows: allowance{recovery: 30 * time.Second, left: 5 * time.Second},
	},
}

// terminatedByCommand: a terminated run can stop nothing itself; a worker that starts finds what is two
// minutes old and has no open run, and tells of it. Alone, since any other row's worker would do so too.
func terminatedByCommand(f *field) {
	f.worker()
	f.begin(endsTerminated, func(r *contract.Request) { r.Constraints.TimeoutSeconds = new(3600) })
	f.running()
	f.over()
	f.command("workflow", "terminate", "--reason", "chaos")
	f.answers = 0
	time.Sleep(125 * time.Second)
	f.worker()
}

// resetByCommand: the run that goes on derives the same turns and attaches to them.
func resetByCommand(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.running()
	to := []string{"FirstWorkflowTask", "LastWorkflowTask"}[f.chance.IntN(2)]
	f.command("workflow", "reset", "--type", to, "--reason", "chaos")
	for _, tr := range f.trials {
		described, err := temporalClient.DescribeWorkflowExecution(f.t.Context(), tr.run.GetID(), "")
		require.NoError(f.t, err)
		after := described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		require.NotEqual(f.t, tr.run.GetRunID(), after)
		if to == "LastWorkflowTask" {
			tr.before = tr.run
		}
		tr.run = temporalClient.GetWorkflow(f.t.Context(), tr.run.GetID(), after)
	}
	f.over()
	f.release()
}

// pausedByCommand: what is paused is the waiting, not the turns on Ray.
func pausedByCommand(f *field) {
	f.worker()
	f.begin(endsCompleted)
	f.running()
	for _, tr := range f.trials {
		waitedFor(f.t, tr.run, len(tr.request.Agents))
	}
	f.command("activity", "pause", "--activity-type", workflows.AwaitTurn.Name())
	f.paused()
	f.release()
	f.quiet()
	f.command("activity", "reset", "--activity-type", workflows.AwaitTurn.Name(), "--keep-paused")
	f.command("activity", "unpause", "--activity-type", workflows.AwaitTurn.Name())
	f.over()
}

// paused waits until nobody waits for a turn: a wait under way learns of it at its next heartbeat.
func (f *field) paused() {
	f.t.Helper()
	for _, tr := range f.trials {
		eventually(f.t, "its waits are paused", func(c *assert.CollectT) {
			described, err := temporalClient.DescribeWorkflowExecution(f.t.Context(), tr.run.GetID(), tr.run.GetRunID())
			require.NoError(c, err)
			require.NotEmpty(c, described.GetPendingActivities())
			for _, pending := range described.GetPendingActivities() {
				require.Equal(c, enumspb.PENDING_ACTIVITY_STATE_PAUSED, pending.GetState())
			}
		})
	}
}

// command runs a temporal command on every deliberation, again where the server is too busy for it.
func (f *field) command(args ...string) {
	f.t.Helper()
	for _, tr := range f.trials {
		eventually(f.t, "the command is taken", func(c *assert.CollectT) {
			did := temporalCLI(c, slices.Concat(args, []string{"--workflow-id", tr.run.GetID()})...)
			require.Zero(c, did.code, did.stderr)
		})
	}
}
