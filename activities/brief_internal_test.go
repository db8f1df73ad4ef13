package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/workflows/contract"
)

func TestTurnsThatAreTriedAgainTogetherReadTheHistoryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all briefs
		var reads atomic.Int32
		release := make(chan struct{})
		find := func(ctx context.Context, of string) (contract.Brief, error) {
			return all.find(ctx, of, func(ctx context.Context) (contract.Brief, error) {
				reads.Add(1)
				<-release
				return contract.Brief{Fence: of}, ctx.Err()
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		var turns sync.WaitGroup
		turns.Go(func() {
			_, err := find(ctx, "review 1")
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for _, of := range []string{"review 1", "review 1", "review 2"} {
			turns.Go(func() {
				brief, err := find(t.Context(), of)
				require.NoError(t, err, "another turn's cancellation is none of its business")
				require.Equal(t, of, brief.Fence)
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(release)
		turns.Wait()
		require.Equal(t, int32(2), reads.Load())
	})
}
