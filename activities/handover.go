package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// handedOver is the type of the error that gives a wait to another worker at once.
const handedOver = "HandedOver"

// errStopping is why a wait ends when the worker shuts down.
var errStopping = errors.New("worker is shutting down")

// untilStopped is a context that also ends when the worker shuts down, so that no call to Ray holds the
// hand-over up. What such a call had begun is found again by its turn ids.
func untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	working, cancel := context.WithCancelCause(ctx)
	stopping := activity.GetWorkerStopChannel(ctx)
	go func() {
		select {
		case <-stopping:
			cancel(errStopping)
		case <-working.Done():
		}
	}()
	return working, func() { cancel(nil) }
}

// stoppedBy is the hand-over when it was the worker's end that ended the work, else err.
func stoppedBy(ctx, working context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.Canceled) && errors.Is(context.Cause(working), errStopping) {
		return handOver()
	}
	return err
}

func handOver() error {
	return temporal.NewApplicationErrorWithOptions("this worker is shutting down", handedOver, temporal.ApplicationErrorOptions{
		NextRetryDelay: 50 * time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// wait pauses until the time is over, the activity is cancelled, or the worker shuts down.
func wait(working context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-working.Done():
		return working.Err()
	}
}

// resume takes the progress of the attempt before, of this worker or another one, so that what people
// see goes on. Progress that can't be read starts anew.
func resume[Progress any](ctx context.Context, progress *Progress) {
	var before Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &before) == nil {
		*progress = before
	}
}
