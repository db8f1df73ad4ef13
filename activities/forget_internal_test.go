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

func TestForgets_RunsThatEndAtTheSameTimeShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{}, newForgets()
		begun := time.Now()
		require.NoError(t, shared.forget(t.Context(), ray, orderOf("a", 0)))
		require.Zero(t, time.Since(begun), "a run that ends alone waits for nobody")
		var runs sync.WaitGroup
		for n := range 20 {
			runs.Go(func() {
				time.Sleep(time.Duration(n) * 10 * time.Millisecond)
				if err := shared.forget(t.Context(), ray, orderOf("a", n+1)); err != nil {
					t.Error(err)
				}
			})
		}
		runs.Wait()
		require.Equal(t, forgetPause, time.Since(begun))
		require.Len(t, ray.requests, 2)
		require.Len(t, ray.requests[1], 20)

		time.Sleep(forgetPause)
		begun = time.Now()
		require.NoError(t, shared.forget(t.Context(), ray, orderOf("a", 21)))
		require.Zero(t, time.Since(begun), "nor does a run that ends alone later")
	})
}

func TestForgets_ClustersDoNotWaitForOneAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{}, newForgets()
		begun := time.Now()
		for _, cluster := range []string{"a", "b"} {
			require.NoError(t, shared.forget(t.Context(), ray, orderOf(cluster, 1)))
		}
		require.Zero(t, time.Since(begun))
	})
}

func TestForgets_AllHearOfAFailureAndOnesEndHarmsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ray, shared := &forgetful{err: errors.New("503")}, newForgets()
		require.EqualError(t, shared.forget(t.Context(), ray, orderOf("a", 1)), "503")
		cancelled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		ray.err = nil
		var runs sync.WaitGroup
		runs.Go(func() {
			if err := shared.forget(cancelled, ray, orderOf("a", 2)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		require.NoError(t, shared.forget(t.Context(), ray, orderOf("a", 3)), "the one that began the request has left")
		runs.Wait()
		require.Len(t, ray.requests[1], 2)
	})
}
