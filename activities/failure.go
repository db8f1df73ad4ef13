package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// internal is the type of an error that no port told the kind of.
const internal = "Internal"

// toTemporal is the one place where an error becomes Temporal's. What it returns is the outermost error:
// wrapped again, a non-retryable error would be retried for ever.
func toTemporal(ctx context.Context, err error) error {
	var ours *domain.Error
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	// Only while the activity itself is over: a port's error may hold the end of a context of its own.
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

func bounded(message string) string {
	cut, _ := domain.CutEncoded(message, domain.MaxMessage)
	return cut
}
