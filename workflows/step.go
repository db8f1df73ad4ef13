package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Step is an activity as its callers see it: a name, its queue, its retries, and the types of what goes
// in and comes out. Package activities binds each to its code, checked by the compiler.
type Step[In, Out any] struct {
	name      string
	queue     func(taskQueue string) string
	heartbeat time.Duration // how soon a lost worker is noticed, or
	attempt   time.Duration // how long one try may take, which notices it too
	retry     temporal.RetryPolicy
}

// Name is wire format.
func (s Step[In, Out]) Name() string { return s.name }

// call starts the activity; it has until within from now, retries included.
func (s Step[In, Out]) call(ctx workflow.Context, within time.Duration, summary string, in In) pending[Out] {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              s.queue(workflow.GetInfo(ctx).TaskQueueName),
		ScheduleToCloseTimeout: within,
		StartToCloseTimeout:    s.attempt,
		HeartbeatTimeout:       s.heartbeat,
		RetryPolicy:            &s.retry,
		Summary:                summary,
	})
	return pending[Out]{workflow.ExecuteActivity(ctx, s.name, in)}
}

// pending is an activity under way.
type pending[Out any] struct{ future workflow.Future }

func (p pending[Out]) get(ctx workflow.Context) (Out, error) {
	var out Out
	err := p.future.Get(ctx, &out)
	return out, err
}
