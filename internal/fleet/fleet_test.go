package fleet

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// fakeCluster is a cluster that answers, or doesn't.
type fakeCluster struct {
	mu      sync.Mutex
	info    ray.Info
	err     error
	hangs   bool
	breaker ray.BreakerState
	asked   int
}

func (f *fakeCluster) Info(ctx context.Context) (ray.Info, error) {
	f.mu.Lock()
	f.asked++
	info, err, hangs := f.info, f.err, f.hangs
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ray.Info{}, ctx.Err()
	}
	return info, err
}

func (f *fakeCluster) Breaker() ray.BreakerState { return f.breaker }

func (f *fakeCluster) becomes(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func runner(capacity, inFlight, kept int) ray.Runner {
	return ray.Runner{Name: "runner/a/0", Incarnation: "1", Capacity: capacity, InFlight: inFlight, Kept: kept}
}

func TestFleet_KnowsWhoAnswersAndHasRoom(t *testing.T) {
	silent, draining := runner(10, 0, 0), runner(10, 0, 0)
	silent.Incarnation, draining.Draining = "", true
	for name, test := range map[string]struct {
		cluster *fakeCluster
		up      bool
		room    int
	}{
		"with room":                       {&fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(10, 3, 2), runner(10, 10, 0)}}}, true, 5},
		"full, also of what it keeps":     {&fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(10, 4, 6)}}}, true, 0},
		"with no runner that takes turns": {&fakeCluster{info: ray.Info{Runners: []ray.Runner{silent, draining}}}, true, 0},
		"away":                            {&fakeCluster{err: errors.New("connection refused")}, false, 0},
		"not asked any more": {
			&fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(10, 0, 0)}}, breaker: ray.BreakerOpen}, false, 10,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := Fleet{{name: "a", cluster: test.cluster}}
				begun := time.Now()
				require.Equal(t, []domain.ClusterState{{Name: "a", UpSince: begun, RoomSince: begun}}, f.States(), "before it was looked at")
				f.Look(t.Context())
				time.Sleep(time.Second)
				require.Equal(t, []domain.ClusterState{{
					Name: "a", Up: test.up, UpSince: begun, Room: test.up && test.room > 0, RoomSince: begun,
				}}, f.States())
				require.Equal(t, test.room, f.Views()[0].Room)
			})
		})
	}
}

func TestFleet_AStartWaitsForASilentClusterOnlyForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := &fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(1, 0, 0)}}}
		f := Fleet{{name: "a", cluster: &fakeCluster{hangs: true}}, {name: "b", cluster: well}}
		begun := time.Now()

		f.Look(t.Context())

		require.Equal(t, firstWithin, time.Since(begun))
		require.Equal(t, "b", domain.Place(f.States()))
	})
}

func TestFleet_SeesAClusterGoAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(1, 0, 0)}}}
		f := Fleet{{name: "a", cluster: cluster}}
		f.Look(t.Context())
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go f.Watch(ctx)

		cluster.becomes(errors.New("connection refused"))
		time.Sleep(everyUp + time.Millisecond)
		require.False(t, f.States()[0].Up)
		require.Equal(t, "connection refused", f.Views()[0].Fault)
		time.Sleep(time.Minute)
		require.InDelta(t, time.Minute.Seconds(), time.Since(f.States()[0].UpSince).Seconds(), 1, "since when it is away")

		cluster.becomes(nil)
		time.Sleep(everyDown + time.Millisecond)
		require.True(t, f.States()[0].Up, "one that is away is looked at more often")
	})
}

func TestFleet_AFullClusterThatFallsSilentIsNoLessFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := &fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(1, 1, 0)}}}
		f := Fleet{{name: "a", cluster: cluster}}
		f.Look(t.Context())
		begun := time.Now()
		for _, heard := range []error{errors.New("no answer"), nil, errors.New("no answer")} {
			time.Sleep(time.Minute)
			cluster.becomes(heard)
			f.Look(t.Context())
		}

		seen := f.States()[0]
		require.Equal(t, begun, seen.RoomSince)
		require.Equal(t, time.Now(), seen.UpSince)
	})
}

func TestFleet_CollectsItsStateAsMetrics(t *testing.T) {
	f := Fleet{
		{name: "a", cluster: &fakeCluster{info: ray.Info{Runners: []ray.Runner{runner(10, 1, 0)}}}},
		{name: "b", cluster: &fakeCluster{err: errors.New("away"), breaker: ray.BreakerOpen}},
	}
	f.Look(t.Context())

	require.NoError(t, testutil.CollectAndCompare(f, strings.NewReader(`
# HELP deliberation_ray_breaker_state Whether this worker asks the Ray cluster: 0 closed, it does; 1 half-open, by a probe; 2 open, it does not.
# TYPE deliberation_ray_breaker_state gauge
deliberation_ray_breaker_state{cluster="a"} 0
deliberation_ray_breaker_state{cluster="b"} 2
# HELP deliberation_ray_cluster_room How many more turns the Ray cluster's runners take; 0 when it does not answer.
# TYPE deliberation_ray_cluster_room gauge
deliberation_ray_cluster_room{cluster="a"} 9
deliberation_ray_cluster_room{cluster="b"} 0
`)))
}
