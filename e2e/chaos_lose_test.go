//go:build integration

package e2e

import (
	"slices"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// lose counts what will die with an app's runner, all of its runners without a name: the row's turns that
// have ended there and whose outcome isn't in history, and those that run. Call it right before the fault.
func (f *field) lose(app, runner string) {
	f.t.Helper()
	dying := func() []turn {
		return slices.DeleteFunc(f.known(app), func(each turn) bool { return runner != "" && each.Runner != runner })
	}
	heard := map[string]map[string]bool{}
	before := dying()
	for _, held := range before {
		if heard[held.Deliberation] == nil && !held.unfinished() {
			heard[held.Deliberation] = f.heard(held.Deliberation)
		}
		if !heard[held.Deliberation][held.SubmissionID] {
			f.lost[held.SubmissionID] = true
		}
	}
	for _, held := range dying() { // by now others may have begun
		if held.unfinished() {
			f.lost[held.SubmissionID] = true
		}
	}
}

// heard are the turns of a deliberation whose outcomes are in its history.
func (f *field) heard(deliberation string) map[string]bool {
	awaited, heard := map[int64]string{}, map[string]bool{}
	for _, event := range history(f.t, f.runOf(deliberation)) {
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		if scheduled.GetActivityType().GetName() == workflows.AwaitTurn.Name() {
			var in contract.AwaitTurnInput
			require.NoError(f.t, converter.GetDefaultDataConverter().FromPayloads(scheduled.GetInput(), &in))
			awaited[event.GetEventId()] = string(in.Handle.TurnID)
		}
		if completed := event.GetActivityTaskCompletedEventAttributes(); completed != nil {
			heard[awaited[completed.GetScheduledEventId()]] = true
		}
	}
	return heard
}

func (f *field) runOf(deliberation string) client.WorkflowRun {
	at := slices.IndexFunc(f.trials, func(tr *trial) bool { return tr.run.GetID() == deliberation })
	return f.trials[at].run
}
