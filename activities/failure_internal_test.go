package activities

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"deliberation.io/deliberation/domain"
)

// kinds has every kind of error, and whether a retry is pointless.
var kinds = map[domain.ErrorKind]bool{
	domain.KindFull: false, domain.KindUnavailable: false, domain.KindUnreachable: false, domain.KindPublish: false,
	domain.KindNoCluster: false, domain.KindDenied: true, domain.KindRejected: true, domain.KindURL: true,
}

// The server reads the top level of a failure and nothing below it.
func TestToTemporal_EachKindIsAtTheTopLevel(t *testing.T) {
	for kind, fatal := range kinds {
		ours := &domain.Error{Kind: kind, Op: "submit to local", RetryAfter: 7 * time.Second, Err: errors.New("said no")}
		for name, err := range map[string]error{
			"bare":                       ours,
			"wrapped":                    fmt.Errorf("turn 1: %w", ours),
			"joined":                     errors.Join(errors.New("first"), ours),
			"with its own context's end": &domain.Error{Kind: kind, Op: "x", RetryAfter: 7 * time.Second, Err: context.DeadlineExceeded},
		} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(t.Context(), err))

				info := failure.GetApplicationFailureInfo()
				require.NotNil(t, info)
				require.Equal(t, string(kind), info.GetType())
				require.Equal(t, fatal, info.GetNonRetryable())
				require.Equal(t, 7*time.Second, info.GetNextRetryDelay().AsDuration())
				require.Equal(t, !fatal, info.GetCategory() == enumspb.APPLICATION_ERROR_CATEGORY_BENIGN)
				require.Equal(t, err.Error(), failure.GetMessage())
				require.Nil(t, failure.GetCause())
			})
		}
	}
}

func TestToTemporal_AnAttemptThatIsPausedOrResetIsTriedAgain(t *testing.T) {
	for _, cause := range []error{activity.ErrActivityPaused, activity.ErrActivityReset} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)

		failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(ctx, fmt.Errorf("await: %w", ctx.Err())))

		info := failure.GetApplicationFailureInfo()
		require.Equal(t, "Paused", info.GetType())
		require.Equal(t, cause.Error(), failure.GetMessage())
		require.False(t, info.GetNonRetryable())
		require.Equal(t, enumspb.APPLICATION_ERROR_CATEGORY_BENIGN, info.GetCategory())
	}
}

func TestToTemporal_AnErrorOfNoKindIsInternalAndTriedAgain(t *testing.T) {
	for name, err := range map[string]error{
		"unknown":                               errors.New("surprise"),
		"the end of another's context":          fmt.Errorf("list: %w", context.DeadlineExceeded),
		"the cancellation of another's context": context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(t.Context(), err))

			require.Equal(t, "Internal", failure.GetApplicationFailureInfo().GetType())
			require.False(t, failure.GetApplicationFailureInfo().GetNonRetryable())
			require.Nil(t, failure.GetApplicationFailureInfo().GetNextRetryDelay())
		})
	}
}

func TestToTemporal_TheActivitysOwnEndPassesThrough(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{
		"cancelled":             context.Canceled,
		"cancelled and wrapped": fmt.Errorf("await: %w", context.Canceled),
		"out of time":           context.DeadlineExceeded,
		"Temporal's own":        temporal.NewCanceledError(),
		"inside a port's error": &domain.Error{Kind: domain.KindUnreachable, Op: "await", Err: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, err, toTemporal(ended, err))
		})
	}
}

func TestToTemporal_NoErrorIsNone(t *testing.T) {
	require.NoError(t, toTemporal(t.Context(), nil))
}

func TestToTemporal_ATemporalErrorComesOutOfItsWrapping(t *testing.T) {
	inner := temporal.NewNonRetryableApplicationError("no", "Whatever", nil)

	failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(t.Context(), fmt.Errorf("x: %w", inner)))

	require.Equal(t, "Whatever", failure.GetApplicationFailureInfo().GetType())
	require.True(t, failure.GetApplicationFailureInfo().GetNonRetryable())
}

func TestToTemporal_AMessageIsBoundedInJSON(t *testing.T) {
	for name, err := range map[string]error{
		"a port's": &domain.Error{Kind: domain.KindFull, Op: "submit", Err: errors.New(strings.Repeat("<", 5000))},
		"unknown":  errors.New(strings.Repeat("\x00é", 5000)),
	} {
		t.Run(name, func(t *testing.T) {
			failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(t.Context(), err))

			require.NotEmpty(t, failure.GetMessage())
			require.LessOrEqual(t, domain.EncodedSize(failure.GetMessage()), 2<<10)
		})
	}
}

// Temporal's protocol takes UTF-8 only: an attempt with another message would never be reported.
func TestToTemporal_AMessageIsUTF8(t *testing.T) {
	for _, err := range []error{
		&domain.Error{Kind: domain.KindPublish, Op: "publish", Err: errors.New("-ERR 'caf\xe9'")}, errors.New("\xff"),
	} {
		failure := temporal.GetDefaultFailureConverter().ErrorToFailure(toTemporal(t.Context(), err))

		_, marshalled := proto.Marshal(failure)
		require.NoError(t, marshalled)
	}
}

func TestKinds_AreAllThatTheDomainHas(t *testing.T) {
	source, err := os.ReadFile("../domain/errors.go")
	require.NoError(t, err)
	declared := regexp.MustCompile(`ErrorKind += "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, declared, len(kinds))
	for _, kind := range declared {
		require.Contains(t, kinds, domain.ErrorKind(kind[1]))
	}
}
