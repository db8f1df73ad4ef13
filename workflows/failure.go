package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// failureOf says what an activity's error means for the agents that waited for it.
func failureOf(err error) domain.TurnFailure {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return domain.NewTurnFailure(domain.FailureKind(application.Type()), application.Message(), false)
	}
	if timedOut(err) {
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no worker ended it in time", false)
	}
	return domain.NewTurnFailure(domain.DeliberationFailed, err.Error(), false)
}

func timedOut(err error) bool {
	var timeout *temporal.TimeoutError
	return errors.As(err, &timeout)
}

// failed is the error that a run ends with. Its message is bounded; details carry the failures.
func failed(kind domain.FailureKind, message string, details ...any) error {
	cut, _ := domain.CutEncoded(message, domain.MaxMessage)
	return temporal.NewApplicationErrorWithOptions(cut, string(kind), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: details,
	})
}
