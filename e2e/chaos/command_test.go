//go:build integration

package chaos

import (
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// What an operator does with the temporal command.
var commandFaults = []experiment{
	{
		name: "terminate from the CLI", alone: true, run: terminatedByCommand,
		allows: allowance{recovery: within(newWorkerLooks), left: 4 * time.Minute},
	},
	{
		name: "reset from the CLI", run: resetByCommand,
		allows: allowance{recovery: within(nextTry, slowestAnswer, endTogether), left: 5 * time.Second},
	},
	{
		name: "activity paused, reset and resumed", run: pausedByCommand,
		allows: allowance{recovery: within(nextTry, endTogether), left: 5 * time.Second},
	},
}

// terminatedByCommand terminates runs, which can't stop their turns themselves. A worker that starts finds turns
// that are two minutes old and have no open run: it stops them and announces the end. This experiment runs alone,
// since the worker of any other one would do the same.
func terminatedByCommand(l *lab) {
	l.worker()
	l.begin(endsTerminated, func(r *contract.Request) { r.Constraints.TimeoutSeconds = new(3600) })
	l.awaitAllInFlight()
	l.endFault()
	l.command("workflow", "terminate", "--reason", "chaos")
	l.answersNeeded = 0
	time.Sleep(125 * time.Second)
	l.worker()
}

// resetByCommand resets runs. The run that goes on derives the same turns and attaches to them. Councils that
// review go on in their phase: what they were answered before was forgotten on Ray.
func resetByCommand(l *lab) {
	l.worker()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	to := []string{"FirstWorkflowTask", "LastWorkflowTask"}[l.chance.IntN(2)]
	if l.experiment.reviewed {
		to = "LastWorkflowTask"
	}
	l.command("workflow", "reset", "--type", to, "--reason", "chaos")
	for _, s := range l.subjects {
		described, err := stack.Temporal.DescribeWorkflowExecution(l.t.Context(), s.run.GetID(), "")
		require.NoError(l.t, err)
		after := described.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		require.NotEqual(l.t, s.run.GetRunID(), after)
		if to == "LastWorkflowTask" {
			s.before = s.run
		}
		s.run = stack.Temporal.GetWorkflow(l.t.Context(), s.run.GetID(), after)
	}
	l.endFault()
	l.releaseModels()
}

// pausedByCommand pauses the polls of the turns. The turns go on on Ray.
func pausedByCommand(l *lab) {
	l.worker()
	l.begin(endsCompleted)
	l.awaitAllInFlight()
	for _, s := range l.subjects {
		stack.AwaitPolls(l.t, s.run, len(s.request.Agents))
	}
	l.command("activity", "pause", "--activity-type", contract.ActivityAwaitTurn)
	l.awaitPaused()
	l.releaseModels()
	l.awaitOpenCalls(0)
	l.command("activity", "reset", "--activity-type", contract.ActivityAwaitTurn, "--keep-paused")
	l.command("activity", "unpause", "--activity-type", contract.ActivityAwaitTurn)
	l.endFault()
}

// awaitPaused waits until nobody polls a turn. A poll under way learns of the pause at its next heartbeat.
func (l *lab) awaitPaused() {
	l.t.Helper()
	for _, s := range l.subjects {
		stack.Eventually(l.t, "its polls are paused", func(c *assert.CollectT) {
			described, err := stack.Temporal.DescribeWorkflowExecution(l.t.Context(), s.run.GetID(), s.run.GetRunID())
			require.NoError(c, err)
			require.NotEmpty(c, described.GetPendingActivities())
			for _, pending := range described.GetPendingActivities() {
				require.Equal(c, enumspb.PENDING_ACTIVITY_STATE_PAUSED, pending.GetState())
			}
		})
	}
}

// command runs a temporal command on every subject, and repeats it while the server is too busy.
func (l *lab) command(args ...string) {
	l.t.Helper()
	for _, s := range l.subjects {
		stack.Eventually(l.t, "the command is taken", func(c *assert.CollectT) {
			did := stack.TemporalCLI(c, slices.Concat(args, []string{"--workflow-id", s.run.GetID()})...)
			require.Zero(c, did.Code, did.Stderr)
		})
	}
}
