package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Step is an activity as its callers see it: its name, queue and retries, and the types of its input and
// result. Package activities binds each step to its code, and the compiler checks the types.
type Step[In, Out any] struct {
	name      string
	queue     func(taskQueue string) string
	heartbeat time.Duration // heartbeat timeout. A step sets this or attempt, so that a lost worker is noticed
	attempt   time.Duration // start-to-close timeout of one try
	retry     temporal.RetryPolicy
}

// Name returns the activity's name, which is wire format.
func (s Step[In, Out]) Name() string { return s.name }

// call starts the activity. It has the time within from now on, retries included.
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

// pending is an activity that was started.
type pending[Out any] struct{ future workflow.Future }

func (p pending[Out]) get(ctx workflow.Context) (Out, error) {
	var out Out
	err := p.future.Get(ctx, &out)
	return out, err
}
