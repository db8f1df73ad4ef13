package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// finish says why the council is done, and has the answer to clients that asked it to stop now.
type finish struct {
	planned domain.StopReason // why the council planned no further phase
	asked   bool              // a client wants the existing proposals to be ranked now
	result  contract.Result
	err     error

	released int // clients that may get the answer
	answered int // clients that got it
}

// answerStopNow handles the update. Several clients may send it; each gets the result.
func (d *deliberation) answerStopNow(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, contract.UpdateStopNow, func(ctx workflow.Context) (contract.Result, error) {
		d.finish.asked = true
		ctx, _ = workflow.NewDisconnectedContext(ctx) // a cancel that comes later may not change the result
		if err := workflow.Await(ctx, func() bool { return d.finish.answered < d.finish.released }); err != nil {
			return contract.Result{}, err
		}
		d.finish.answered++
		return d.finish.result, d.finish.err
	}, workflow.UpdateHandlerOptions{
		Validator:   func(workflow.Context) error { return d.mayStop() },
		Description: "stop the turns that still run, rank what is there, and return the result",
	})
}

// mayStop refuses an update that would end the run without a result.
func (d *deliberation) mayStop() error {
	switch ranked := d.council.Rank(); {
	case d.shown.status.Closed():
		return errors.New("the deliberation has ended")
	case d.clock == nil || !d.clock.started():
		return errors.New("the council still waits for room on Ray; cancel the deliberation instead")
	case !d.council.QuorumMet():
		return fmt.Errorf("%d of %d needed proposals are there; cancel the deliberation instead", ranked.Completed(), d.council.Needs())
	}
	return nil
}

// answerWaiting answers the clients that asked to stop, with the result or the error of the run. Each answer has a
// workflow task of its own, except that the last one shares it with the run's end: Temporal takes 4 MiB in one
// message, which may not hold three results.
func (d *deliberation) answerWaiting(ctx workflow.Context, result contract.Result, err error) {
	d.finish.result, d.finish.err = result, err
	for !workflow.AllHandlersFinished(ctx) {
		d.finish.released++
		answered := workflow.Await(ctx, func() bool { return d.finish.answered == d.finish.released })
		if answered == nil && !workflow.AllHandlersFinished(ctx) {
			answered = workflow.NewTimerWithOptions(ctx, time.Millisecond, workflow.TimerOptions{Summary: "next answer"}).Get(ctx, nil)
		}
		if answered != nil {
			workflow.GetLogger(ctx).Debug("an update was not answered")
			return
		}
	}
}
