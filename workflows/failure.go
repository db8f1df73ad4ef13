package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// lastRefusal returns why the last try of a submission failed, for one that ran out of time.
func lastRefusal(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return "no worker took the submission in time"
}

// failed returns the error that a run ends with. The details contain the failures.
func failed(kind domain.FailureKind, message string, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(message, string(kind), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: details,
	})
}
