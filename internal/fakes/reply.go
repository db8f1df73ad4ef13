package fakes

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
)

// Forever is longer than any deliberation.
const Forever = time.Duration(1 << 62)

// Reply is what a fake activity answers, and when.
type Reply[Out any] struct {
	Value Out
	Err   error

	Delay    time.Duration
	Until    <-chan struct{} // closing it ends the delay, in real time only
	Progress any             // of the heartbeats meanwhile; nil: they carry none
	Quiet    bool            // no heartbeats meanwhile: Temporal counts each as a state transition
}

// After is the reply after a delay.
func (r Reply[Out]) After(delay time.Duration) Reply[Out] {
	r.Delay = delay
	return r
}

// clock decides how an activity waits: in the test environment its time is skipped and the answer is given
// later; without one (nil) the activity blocks.
type clock struct {
	env *testsuite.TestWorkflowEnvironment
}

// give answers an activity, and calls then just before it does.
func give[Out any](ctx context.Context, c clock, r Reply[Out], then func()) (Out, error) {
	if r.Delay == 0 {
		then()
		return r.Value, r.Err
	}
	var none Out
	if c.env == nil {
		beats := func() { activity.RecordHeartbeat(ctx, details(r.Progress)...) }
		if r.Quiet {
			beats = nothing
		}
		if err := wait(ctx, r.Delay, r.Until, beats); err != nil {
			return none, err
		}
		then()
		return r.Value, r.Err
	}
	token := activity.GetInfo(ctx).TaskToken
	if r.Delay != Forever {
		c.env.RegisterDelayedCallback(func() {
			then()
			_ = c.env.CompleteActivity(token, r.Value, r.Err)
		}, r.Delay)
	}
	return none, activity.ErrResultPending
}

func details(progress any) []any {
	if progress == nil {
		return nil
	}
	return []any{progress}
}

// wait blocks an activity, which keeps sending heartbeats.
func wait(ctx context.Context, delay time.Duration, until <-chan struct{}, beats func()) error {
	done := time.NewTimer(delay)
	defer done.Stop()
	beat := time.NewTicker(200 * time.Millisecond)
	defer beat.Stop()
	for {
		beats()
		select {
		case <-done.C:
			return nil
		case <-until:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			return errors.New("the worker stops")
		case <-beat.C:
		}
	}
}

func nothing() {}
