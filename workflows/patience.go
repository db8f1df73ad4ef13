package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// patience says whether a council has waited long enough for the slow turns of a phase.
type patience struct{ over bool }

// startPatience starts the wait when the council could go on: in the first phase when the quorum is met, in a
// later phase when it begins.
func (d *deliberation) startPatience(ctx workflow.Context, phase domain.Phase) *patience {
	p := &patience{}
	if _, bounded := d.request().Protocol().Patience(d.clock.timeout); !bounded {
		return p
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		if phase.Kind == domain.Propose && workflow.Await(ctx, func() bool { return d.council.QuorumMet() }) != nil {
			return
		}
		wait, bounded := d.request().Protocol().Patience(d.clock.remaining(ctx))
		if !bounded {
			return
		}
		timer := workflow.NewTimerWithOptions(ctx, max(time.Second, wait), workflow.TimerOptions{Summary: "patience"})
		p.over = timer.Get(ctx, nil) == nil
	})
	return p
}
