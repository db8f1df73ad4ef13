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
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

func TestADeliberationStartedByThePythonClient(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	for _, form := range []string{"dataclass", "bytes"} {
		model := stack.Model(t, form)
		stack.Script(t, model, stack.Answers("0.5"))

		ended := stack.Command(t, stack.Path(".dev/venv/bin/python"), "testdata/client.py", stack.At.TemporalAddress, queue, stack.Task(t), stack.At.ModelURL, model, form)

		require.Zero(t, ended.Code, ended.Stderr)
		var result contract.Result
		require.NoError(t, json.Unmarshal([]byte(ended.Stdout), &result))
		require.Equal(t, 1, result.CompletedAgents, form)
		require.Equal(t, model, result.BestResult.Model, "null is as if absent")
	}
}

func TestADeliberationStartedByASchedule(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	schedule, err := stack.Temporal.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID: stack.Task(t), TriggerImmediately: true,
		Action: &client.ScheduleWorkflowAction{
			ID: "nightly", Workflow: contract.DeliberationName, TaskQueue: queue, Args: []any{stack.Request(t, stack.Agents(model))},
		},
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, schedule.Delete(t.Context())) }()

	var started *client.ScheduleWorkflowExecution
	stack.Eventually(t, "the schedule has started a run", func(c *assert.CollectT) {
		described, err := schedule.Describe(t.Context())
		require.NoError(c, err)
		require.NotEmpty(c, described.Info.RecentActions)
		started = described.Info.RecentActions[0].StartWorkflowResult
	})

	run := stack.Temporal.GetWorkflow(t.Context(), started.WorkflowID, started.FirstExecutionRunID)
	require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
	require.Equal(t, domain.StatusCompleted, stack.Status(t, run).Status)
}

func TestADeliberationStartedAsAChildWorkflow(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))
	parents := sdkworker.New(stack.Temporal, queue+"-parents", sdkworker.Options{})
	parents.RegisterWorkflowWithOptions(func(ctx workflow.Context, id string, request contract.Request) (result contract.Result, err error) {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id, TaskQueue: queue})
		err = workflow.ExecuteChildWorkflow(ctx, contract.DeliberationName, request).Get(ctx, &result)
		return result, err
	}, workflow.RegisterOptions{Name: "Parent"})
	require.NoError(t, parents.Start())
	defer parents.Stop()

	child := stack.Task(t)
	run, err := stack.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: child + "-parent", TaskQueue: queue + "-parents"},
		"Parent", child, stack.Request(t, stack.Agents(model)))

	require.NoError(t, err)
	require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
	require.Equal(t, domain.StatusCompleted, stack.Status(t, stack.Temporal.GetWorkflow(t.Context(), child, "")).Status)
}

func TestAnInputInAnotherEncodingIsRefused(t *testing.T) {
	queue := stack.Queue(t)
	stack.StartWorker(t, queue)

	run := stack.Begin(t, queue, converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/encrypted")}, Data: []byte("secret"),
	}))

	kind, _ := failure(t, run)
	require.Equal(t, domain.InvalidRequest, kind)
	require.ErrorContains(t, run.Get(t.Context(), nil), `request: its encoding is "binary/encrypted"; send one JSON object as json/plain`)
}
