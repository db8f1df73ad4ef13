//go:build integration

package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	temporalworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/e2e/stack"
)

// plainWorkflow has the stages of a deliberation whose activities do nothing: one, then one for each agent.
func plainWorkflow(ctx workflow.Context, stages []int) error {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for _, parallel := range stages {
		var pending []workflow.Future
		for range parallel {
			pending = append(pending, workflow.ExecuteActivity(ctx, plainActivity))
		}
		for _, each := range pending {
			if err := each.Get(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func plainActivity(context.Context) error { return nil }

// workPlainly starts a worker with the settings of ours; see worker/workers.go.
func workPlainly(t *testing.T) (queue string) {
	t.Helper()
	queue = stack.Task(t) + "-plain"
	worker := temporalworker.New(stack.Temporal, queue, temporalworker.Options{
		DisableRegistrationAliasing: true,
		WorkflowTaskPollerBehavior:  temporalworker.NewPollerBehaviorAutoscaling(temporalworker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior:  temporalworker.NewPollerBehaviorAutoscaling(temporalworker.PollerBehaviorAutoscalingOptions{}),
	})
	worker.RegisterWorkflow(plainWorkflow)
	worker.RegisterActivity(plainActivity)
	require.NoError(t, worker.Start())
	t.Cleanup(worker.Stop)
	return queue
}

func plainly(queue string, stages ...int) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		begun, err := stack.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, plainWorkflow, stages)
		if err != nil {
			return err
		}
		return begun.Get(ctx, nil)
	}
}
