//go:build integration

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	temporalworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// This test replaces the workflow by one that only waits: visibility and history are all that matters.
func TestStatisticsCountATerminationAndNoReset(t *testing.T) {
	c, queue := newSpace(t, "reset"), "resets"
	counting := temporalworker.New(c.Client, queue, temporalworker.Options{DisableRegistrationAliasing: true})
	workflows.Register(standIn{counting}, nil)
	activities.Register(activities.Workers{Main: counting, Submit: counting, Wait: counting}, activities.Dependencies{Temporal: c})
	require.NoError(t, counting.Start())
	t.Cleanup(counting.Stop)

	starts := func(id string) client.WorkflowRun {
		run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, contract.DeliberationName)
		require.NoError(t, err)
		return run
	}
	reset, terminated := starts("reset"), starts("terminated")
	for _, run := range []client.WorkflowRun{reset, terminated} {
		stack.Eventually(t, "it waits", func(c2 *assert.CollectT) {
			described, err := c.DescribeWorkflowExecution(t.Context(), run.GetID(), "")
			require.NoError(c2, err)
			require.Greater(c2, described.GetWorkflowExecutionInfo().GetHistoryLength(), int64(3))
		})
	}
	_, err := c.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: c.name, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "reset", RunId: reset.GetRunID()},
		Reason: "a better day", WorkflowTaskFinishEventId: 4, RequestId: "once",
	})
	require.NoError(t, err)
	require.NoError(t, c.TerminateWorkflow(t.Context(), "terminated", "", "enough"))
	c.count(t, queue, contract.StatsState{})

	visible := func(c2 require.TestingT) int64 { return c.visible(c2, " AND ExecutionStatus='Terminated'") }
	stack.Eventually(t, "visibility has both", func(c2 *assert.CollectT) { require.Equal(c2, int64(2), visible(c2)) })
	for pass := range 3 { // the second count reads the same again; before the third one, a run was deleted
		if pass == 2 {
			_, err := c.WorkflowService().DeleteWorkflowExecution(t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
				Namespace: c.name, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "terminated"},
			})
			require.NoError(t, err)
			stack.Eventually(t, "it is deleted", func(c2 *assert.CollectT) { require.Equal(c2, int64(1), visible(c2)) })
		}
		stats := c.refresh(t)
		require.Equal(t, []int64{2, 1, 1, 1}, []int64{stats.Total, stats.Active, stats.Failed, stats.Terminated})
	}
}

// standIn registers a workflow that only waits in place of the deliberation.
type standIn struct{ temporalworker.Worker }

func (s standIn) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	if options.Name == contract.DeliberationName {
		w = func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }
	}
	s.Worker.RegisterWorkflowWithOptions(w, options)
}
