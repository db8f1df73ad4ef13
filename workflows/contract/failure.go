package contract

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

// FailureOf returns the failure of the agents that waited for an activity which returned this error.
func FailureOf(err error) domain.TurnFailure {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return domain.NewTurnFailure(domain.FailureKind(application.Type()), application.Message(), false)
	}
	if TimedOut(err) {
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no worker ended it in time", false)
	}
	return domain.NewTurnFailure(domain.DeliberationFailed, err.Error(), false)
}

// TimedOut reports whether an activity ran out of time: its last try was cut off, or it failed and there was no
// time for another one.
func TimedOut(err error) bool {
	activity, ok := errors.AsType[*temporal.ActivityError](err)
	if !ok {
		return false
	}
	_, cut := activity.Unwrap().(*temporal.TimeoutError) //nolint:errorlint // a cause further down is another matter
	return cut || activity.RetryState() == enumspb.RETRY_STATE_TIMEOUT
}
