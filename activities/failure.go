package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// handedOver is the type of the error that gives a wait to another worker at once.
const handedOver = "HandedOver"

// toTemporal is the one place where an error becomes Temporal's. What it returns is the outermost error:
// wrapped again, a non-retryable error would be retried for ever.
func toTemporal(err error) error {
	var ours *domain.Error
	var application *temporal.ApplicationError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), temporal.IsCanceledError(err):
		return err
	case errors.As(err, &application):
		return application
	case errors.As(err, &ours):
		options := temporal.ApplicationErrorOptions{NonRetryable: ours.Fatal(), NextRetryDelay: ours.RetryAfter}
		if !ours.Fatal() {
			options.Category = temporal.ApplicationErrorCategoryBenign // expected while a system is away
		}
		return temporal.NewApplicationErrorWithOptions(bounded(ours.Error()), string(ours.Kind), options)
	}
	return temporal.NewApplicationError(bounded(err.Error()), "Internal")
}

func handOver() error {
	return temporal.NewApplicationErrorWithOptions("this worker is shutting down", handedOver, temporal.ApplicationErrorOptions{
		NextRetryDelay: 50 * time.Millisecond, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

func bounded(message string) string {
	cut, _ := domain.CutEncoded(message, domain.MaxMessage)
	return cut
}
