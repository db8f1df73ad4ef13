package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// forgetful notes what it is asked to forget.
type forgetful struct {
	domain.RayCluster // no test calls its other methods

	mu       sync.Mutex
	requests [][]domain.StopOrder
	err      error
}

func (f *forgetful) Forget(_ context.Context, orders ...domain.StopOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, orders)
	return f.err
}

func orderOf(cluster string, run int) domain.StopOrder {
	return domain.StopOrder{
		Owner: "o", Deliberation: fmt.Sprintf("d%d", run), Handles: []domain.Handle{{TurnID: domain.TurnID(fmt.Sprint(run)), Cluster: cluster}},
	}
}

// noFailure fails the test if a request fails.
func noFailure(t *testing.T) func(error) {
	t.Helper()
	return func(err error) { t.Error(err) }
}

func TestForgets_RunsThatEndAtTheSameTimeShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{}, newForgets()
		begun := time.Now()
		shared.leave(t.Context(), ray, orderOf("a", 0), noFailure(t))
		shared.finish()
		require.Zero(t, time.Since(begun), "a run that ends alone is forgotten immediately")
		for n := range 20 {
			shared.leave(t.Context(), ray, orderOf("a", n+1), noFailure(t))
			time.Sleep(10 * time.Millisecond)
		}
		shared.finish()
		require.Equal(t, forgetPause, time.Since(begun))
		require.Len(t, ray.requests, 2)
		require.Len(t, ray.requests[1], 20)
	})
}

func TestForgets_ClustersDoNotWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{}, newForgets()
		begun := time.Now()
		for _, cluster := range []string{"a", "b"} {
			shared.leave(t.Context(), ray, orderOf(cluster, 1), noFailure(t))
		}
		shared.finish()
		require.Zero(t, time.Since(begun))
		require.Len(t, ray.requests, 2)
	})
}

func TestForgets_AllHearOfAFailureAndTheEndOfOneHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{err: errors.New("503")}, newForgets()
		var heard []error
		hear := func(err error) { heard = append(heard, err) }
		shared.leave(t.Context(), ray, orderOf("a", 1), hear)
		shared.finish()
		shared.leave(t.Context(), ray, orderOf("a", 2), hear)
		shared.leave(t.Context(), ray, orderOf("a", 3), hear)
		shared.finish()
		require.Equal(t, []error{ray.err, ray.err, ray.err}, heard)

		ray.err = nil
		ended, end := context.WithCancel(t.Context())
		shared.leave(ended, ray, orderOf("a", 4), noFailure(t))
		end()
		shared.finish()
		require.Len(t, ray.requests, 3, "the activity that left the order has ended")
	})
}
