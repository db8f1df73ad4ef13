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

// Reply says what a fake activity answers, and when.
type Reply[Out any] struct {
	Value Out
	Err   error

	Delay    time.Duration
	Until    <-chan struct{} // closing it ends the delay, in real time only
	Progress any             // the details of the heartbeats during the delay, if any
	Quiet    bool            // no heartbeats during the delay, since Temporal counts each as a state transition
}

// After returns the reply with a delay.
func (r Reply[Out]) After(delay time.Duration) Reply[Out] {
	r.Delay = delay
	return r
}

// clock decides how an activity waits. In a test environment, time is skipped and the activity completes later. Without
// one, the activity blocks.
type clock struct {
	env *testsuite.TestWorkflowEnvironment
}

// give completes an activity with the reply. It calls then immediately before that, which may change the value.
func give[Out any](ctx context.Context, c clock, r Reply[Out], then func(*Out)) (Out, error) {
	if r.Delay == 0 {
		then(&r.Value)
		return r.Value, r.Err
	}
	var none Out
	if c.env == nil {
		beats := func() { activity.RecordHeartbeat(ctx, details(r.Progress)...) }
		if r.Quiet {
			beats = func() {}
		}
		if err := wait(ctx, r.Delay, r.Until, beats); err != nil {
			return none, err
		}
		then(&r.Value)
		return r.Value, r.Err
	}
	token := activity.GetInfo(ctx).TaskToken
	if r.Delay != Forever {
		c.env.RegisterDelayedCallback(func() {
			then(&r.Value)
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

// wait blocks an activity, which sends heartbeats meanwhile.
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

func nothing[Out any](*Out) {}
