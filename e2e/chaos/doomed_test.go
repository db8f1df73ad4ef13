//go:build integration

package chaos

import (
	"slices"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// everyRunner stands for all runners of an app.
const everyRunner = ""

// doom notes the turns that will die with a runner: those that run there, and those that have ended there
// and whose outcome is not in history. Call it right before the fault.
func (l *lab) doom(app, runner string) {
	l.t.Helper()
	onRunner := func() []stack.Turn {
		return slices.DeleteFunc(l.turnsOn(app), func(turn stack.Turn) bool { return runner != everyRunner && turn.Runner != runner })
	}
	recorded := map[string]map[string]bool{}
	for _, turn := range onRunner() {
		if recorded[turn.Deliberation] == nil && !turn.Unfinished() {
			recorded[turn.Deliberation] = l.recordedOutcomes(turn.Deliberation)
		}
		if !recorded[turn.Deliberation][turn.SubmissionID] {
			l.doomed[turn.SubmissionID] = true
		}
	}
	for _, turn := range onRunner() { // others may have begun since the first look
		if turn.Unfinished() {
			l.doomed[turn.SubmissionID] = true
		}
	}
}

// recordedOutcomes are the turns of a deliberation whose outcomes are in its history.
func (l *lab) recordedOutcomes(deliberation string) map[string]bool {
	awaited, recorded := map[int64]string{}, map[string]bool{}
	for _, event := range stack.History(l.t, l.runOf(deliberation)) {
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() == contract.ActivityAwaitTurn {
			var in contract.AwaitTurnInput
			require.NoError(l.t, converter.GetDefaultDataConverter().FromPayloads(scheduled.GetInput(), &in))
			awaited[event.GetEventId()] = string(in.Handle.TurnID)
		}
		if completed := event.GetActivityTaskCompletedEventAttributes(); completed != nil {
			recorded[awaited[completed.GetScheduledEventId()]] = true
		}
	}
	return recorded
}

func (l *lab) runOf(deliberation string) client.WorkflowRun {
	at := slices.IndexFunc(l.subjects, func(s *subject) bool { return s.run.GetID() == deliberation })
	return l.subjects[at].run
}
