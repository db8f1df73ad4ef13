package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/activities/waiting"
)

// handedOver is the type of the error that gives a wait to another worker at once.
const handedOver = "HandedOver"

// beatEvery is the time between heartbeats in a long pause. It is much shorter than the heartbeat timeout.
const beatEvery = 10 * time.Second

// untilStopped returns a context that also ends when the worker shuts down, so that no call to Ray delays the
// hand-over. Another worker finds the work of such a call by its turn ids.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	working, cancel := context.WithCancelCause(ctx)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(waiting.ErrStopping)
		case <-working.Done():
		}
	}()
	return working, func() { cancel(nil) }
}

// stoppedBy returns the hand-over error if the worker's shutdown ended the work, else err.
func stoppedBy(ctx, working context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.Canceled) && errors.Is(context.Cause(working), waiting.ErrStopping) {
		return handOver()
	}
	return err
}

// orHandOver returns the hand-over error if the worker's shutdown ended a wait, else err.
func orHandOver(err error) error {
	if errors.Is(err, waiting.ErrStopping) {
		return handOver()
	}
	return err
}

func handOver() error {
	return temporal.NewApplicationErrorWithOptions("this worker is shutting down", handedOver, temporal.ApplicationErrorOptions{
		NextRetryDelay: 50 * time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// wait pauses until the time is over, the context ends, or the worker shuts down. If the context ends with the worker,
// stopping may be nil.
func wait(ctx context.Context, stopping <-chan struct{}, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-stopping:
		return waiting.ErrStopping
	}
}

// waitBeating pauses like wait, and sends heartbeats meanwhile.
func waitBeating(ctx, working context.Context, pause time.Duration, progress any) error {
	until := time.Now().Add(pause)
	for time.Until(until) > beatEvery {
		if err := wait(working, nil, beatEvery); err != nil {
			return err
		}
		activity.RecordHeartbeat(ctx, progress)
	}
	return wait(working, nil, time.Until(until))
}

// resume takes over the progress of the previous try, on this worker or another one. Progress that can't be read
// starts again.
func resume[Progress any](ctx context.Context, progress *Progress) {
	var before Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &before) == nil {
		*progress = before
	}
}
