package periodic_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/periodic"
)

func TestEvery_StartsNowAndPausesAfterEachCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var calls []time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()

		periodic.Every(ctx, 3*time.Second, func(context.Context) {
			calls = append(calls, time.Since(begun))
			time.Sleep(time.Second)
		})

		require.Equal(t, []time.Duration{0, 4 * time.Second, 8 * time.Second}, calls)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

func TestEvery_DoesNothingWhenTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	periodic.Every(ctx, time.Hour, func(context.Context) { require.Fail(t, "called") })
}
