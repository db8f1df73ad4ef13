package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// clock owns the deadline of a run.
type clock struct {
	timeout  time.Duration
	deadline time.Time // zero until the first acceptance
	late     bool
}

// start starts the one timer that ends a run. Only the first call, at the first acceptance, does anything.
// The timer is never cancelled, since that would be one more event: the run's end ends it.
func (c *clock) start(ctx workflow.Context) {
	if c.started() {
		return
	}
	c.deadline = workflow.Now(ctx).Add(c.timeout)
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	timer := workflow.NewTimerWithOptions(ctx, c.timeout, workflow.TimerOptions{Summary: "deadline"})
	workflow.Go(ctx, func(ctx workflow.Context) {
		if timer.Get(ctx, nil) == nil {
			c.late = true
		}
	})
}

func (c *clock) started() bool { return !c.deadline.IsZero() }

// remaining returns the time until the deadline, at least a second. Before the first acceptance it is the
// whole timeout.
func (c *clock) remaining(ctx workflow.Context) time.Duration {
	if !c.started() {
		return c.timeout
	}
	return max(time.Second, c.deadline.Sub(workflow.Now(ctx)))
}
