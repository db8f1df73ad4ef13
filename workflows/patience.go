package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// patience is how long a council waits for the slow turns of a phase.
type patience struct{ over bool }

// startPatience counts from when the council could go on: in the first phase that is when the quorum is met,
// in a later one when it begins.
func (d *deliberation) startPatience(ctx workflow.Context, phase domain.Phase) *patience {
	p := &patience{}
	if _, bounded := d.request().Protocol().Patience(d.clock.timeout); !bounded {
		return p
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if phase.Kind == domain.Propose && workflow.Await(ctx, func() bool { return d.council.QuorumMet() }) != nil {
			return
		}
		wait, _ := d.request().Protocol().Patience(d.clock.remaining(ctx))
		timer := workflow.NewTimerWithOptions(ctx, max(time.Second, wait), workflow.TimerOptions{Summary: "patience"})
		p.over = timer.Get(ctx, nil) == nil
	})
	return p
}
