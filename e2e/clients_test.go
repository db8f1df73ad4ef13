//go:build integration

package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestADeliberationStartedByThePythonClient(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	for _, form := range []string{"dataclass", "bytes"} {
		model := modelOf(t, form)
		script(t, model, answers("0.5"))

		ended := command(t, "../.dev/venv/bin/python", "testdata/client.py", stack.TemporalAddress, queue, taskOf(t), stack.ModelURL, model, form)

		require.Zero(t, ended.code, ended.stderr)
		var result contract.Result
		require.NoError(t, json.Unmarshal([]byte(ended.stdout), &result))
		require.Equal(t, 1, result.CompletedAgents, form)
		require.Equal(t, model, result.BestResult.Model, "null is as if absent")
	}
}

func TestADeliberationStartedByASchedule(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	schedule, err := temporalClient.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: taskOf(t), TriggerImmediately: true,
		Action: &client.ScheduleWorkflowAction{
			ID: "nightly", Workflow: contract.DeliberationName, TaskQueue: queue, Args: []any{requestOf(t, agents(model))},
		},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, schedule.Delete(t.Context())) }()

	var started *client.ScheduleWorkflowExecution
	eventually(t, "the schedule has started a run", func(c *assert.CollectT) {
		described, err := schedule.Describe(t.Context())
		require.NoError(c, err)
		require.NotEmpty(c, described.Info.RecentActions)
		started = described.Info.RecentActions[0].StartWorkflowResult
	})

	run := temporalClient.GetWorkflow(t.Context(), started.WorkflowID, started.FirstExecutionRunID)
	require.Equal(t, 1, result(t, run).CompletedAgents)
	require.Equal(t, domain.StatusCompleted, status(t, run).Status)
}

func TestADeliberationStartedAsAChildWorkflow(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	parents := sdkworker.New(temporalClient, queue+"-parents", sdkworker.Options{})
	parents.RegisterWorkflowWithOptions(func(ctx workflow.Context, id string, request contract.Request) (result contract.Result, err error) {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id, TaskQueue: queue})
		err = workflow.ExecuteChildWorkflow(ctx, contract.DeliberationName, request).Get(ctx, &result)
		return result, err
	}, workflow.RegisterOptions{Name: "Parent"})
	require.NoError(t, parents.Start())
	defer parents.Stop()

	child := taskOf(t)
	run, err := temporalClient.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: child + "-parent", TaskQueue: queue + "-parents"},
		"Parent", child, requestOf(t, agents(model)))

	require.NoError(t, err)
	require.Equal(t, 1, result(t, run).CompletedAgents)
	require.Equal(t, domain.StatusCompleted, status(t, temporalClient.GetWorkflow(t.Context(), child, "")).Status)
}

func TestAnInputInAnotherEncodingIsRefused(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)

	run := begin(t, queue, converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/encrypted")}, Data: []byte("secret"),
	}))

	kind, _ := failure(t, run)
	require.Equal(t, domain.InvalidRequest, kind)
	require.ErrorContains(t, run.Get(t.Context(), nil), `request: its encoding is "binary/encrypted"; send one JSON object as json/plain`)
}
