package activities

import (
	"context"
	"errors"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

const (
	internal = "Internal" // the type of an error that has no kind
	paused   = "Paused"   // the type of an attempt that somebody paused, or reset
)

// toTemporal maps an error to Temporal's. The result must stay the outermost error: if a non-retryable error is wrapped
// again, Temporal retries it for ever.
func toTemporal(ctx context.Context, err error) error {
	var ours *domain.Error
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), activity.ErrActivityPaused) || errors.Is(context.Cause(ctx), activity.ErrActivityReset):
		// The work on Ray continues, and the next try finds it by its turn ids.
		return temporal.NewApplicationErrorWithOptions(context.Cause(ctx).Error(), paused,
			temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	// This applies only if the activity's own context has ended: a port's error may come from another context.
	case ctx.Err() != nil && (endedContext(err) || temporal.IsCanceledError(err)):
		return err
	case errors.As(err, &application):
		return application
	case errors.As(err, &ours):
		options := temporal.ApplicationErrorOptions{NonRetryable: ours.Fatal(), NextRetryDelay: ours.RetryAfter}
		if !ours.Fatal() {
			options.Category = temporal.ApplicationErrorCategoryBenign // expected while a system is away
		}
		return temporal.NewApplicationErrorWithOptions(bounded(err.Error()), string(ours.Kind), options)
	}
	return temporal.NewApplicationError(bounded(err.Error()), internal)
}

func endedContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// bounded makes a message short. It also makes it UTF-8: Temporal's protocol has no other text, so that the result of
// the attempt would never arrive, and the attempt would be made again and again.
func bounded(message string) string {
	cut, _ := domain.CutEncoded(strings.ToValidUTF8(message, "�"), domain.MaxMessage)
	return cut
}
