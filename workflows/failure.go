package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// failureOf says what an activity's error means for the agents that waited for it.
func failureOf(err error) domain.TurnFailure {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return domain.NewTurnFailure(domain.FailureKind(application.Type()), application.Message(), false)
	}
	if timedOut(err) {
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no worker ended it in time", false)
	}
	return domain.NewTurnFailure(domain.DeliberationFailed, err.Error(), false)
}

// timedOut tells an activity whose time was over: the last try was cut off, or it failed and there was
// no time for another one.
func timedOut(err error) bool {
	activity, ok := errors.AsType[*temporal.ActivityError](err)
	if !ok {
		return false
	}
	_, cut := activity.Unwrap().(*temporal.TimeoutError) //nolint:errorlint // a cause further down is another matter
	return cut || activity.RetryState() == enumspb.RETRY_STATE_TIMEOUT
}

// lastRefusal is what the last try of a submission that ran out of time was told.
func lastRefusal(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return "no worker took the submission in time"
}

// failed is the error that a run ends with; details carry the failures.
func failed(kind domain.FailureKind, message string, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(message, string(kind), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: details,
	})
}
