package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// The test environment knows no timeouts, so these tests build an activity's error as the server records it.
func activityError(state enumspb.RetryState, cause error) error {
	converter := temporal.GetDefaultFailureConverter()
	return converter.FailureToError(&failurepb.Failure{
		Message: "activity error", Cause: converter.ErrorToFailure(cause),
		FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{
			ActivityType: &commonpb.ActivityType{Name: "SubmitTurns"}, RetryState: state,
		}},
	})
}

func TestTimedOut_ReportsAnActivityWhoseTimeWasOver(t *testing.T) {
	full := temporal.NewApplicationError("503: runner_full", "RayFull")
	cut := temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
	denied := temporal.NewNonRetryableApplicationError("denied", "RayDenied", errors.New("context deadline exceeded"))
	tests := map[string]struct {
		err     error
		over    bool
		refusal string
		kind    domain.FailureKind
	}{
		"the last try was cut off": {
			activityError(enumspb.RETRY_STATE_TIMEOUT, cut), true, "no worker took the submission in time", domain.DeadlineExceeded,
		},
		"no worker took it": {
			activityError(enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE, cut), true, "no worker took the submission in time", domain.DeadlineExceeded,
		},
		"the last try failed and there was no time for another": {
			activityError(enumspb.RETRY_STATE_TIMEOUT, full), true, "503: runner_full", "RayFull",
		},
		"it failed for good": {
			activityError(enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE, denied), false, "denied", "RayDenied",
		},
		"it failed for good because of a timeout further down": {
			activityError(enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE, temporal.NewNonRetryableApplicationError("denied", "RayDenied", cut)),
			false, "denied", "RayDenied",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.over, contract.TimedOut(test.err))
			require.Equal(t, test.refusal, lastRefusal(test.err))
			require.Equal(t, test.kind, contract.FailureOf(test.err).Kind())
		})
	}
	require.False(t, contract.TimedOut(errors.New("other")))
	require.Equal(t, domain.DeliberationFailed, contract.FailureOf(errors.New("other")).Kind())
}
