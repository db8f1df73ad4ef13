package sweep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// fakeCluster is a cluster.
type fakeCluster struct {
	held     []ray.HeldTurn
	unheard  []string
	away     error
	hangs    string          // the deliberation whose runner doesn't answer
	says     domain.RayState // of turns that it stops
	happened func(what string)

	mu        sync.Mutex
	looks     int
	stopped   []domain.StopOrder
	forgotten []domain.StopOrder
}

func (f *fakeCluster) Turns(context.Context, string) (ray.Inventory, error) {
	f.looks++
	return ray.Inventory{Turns: f.held, Unheard: f.unheard}, f.away
}

func (f *fakeCluster) Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	if order.Deliberation == f.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = append(f.stopped, order)
	if f.happened != nil {
		f.happened("stopped")
	}
	seen := make([]domain.Observation, 0, len(order.Handles))
	for _, handle := range order.Handles {
		seen = append(seen, domain.Observation{TurnID: handle.TurnID, State: f.says})
	}
	return seen, nil
}

func (f *fakeCluster) Forget(_ context.Context, orders ...domain.StopOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = append(f.forgotten, orders...)
	return nil
}

const old = 3 * time.Minute

func heldTurn(deliberation, id string, state domain.RayState, age time.Duration) ray.HeldTurn {
	return ray.HeldTurn{
		TurnID: domain.TurnID(id), Deliberation: deliberation, State: state, Runner: "runner/a/0", Incarnation: "1",
		AgeSeconds: age.Seconds(), Labels: map[string]string{"task_id": "T of " + deliberation, ray.LabelRun: "run-of-" + deliberation},
	}
}

func stopOf(deliberation string, ids ...domain.TurnID) domain.StopOrder {
	order := domain.StopOrder{Owner: "namespace-1", Deliberation: deliberation, Reason: "no open run"}
	for _, id := range ids {
		order.Handles = append(order.Handles, domain.Handle{TurnID: id, Cluster: "local", Runner: "runner/a/0", Incarnation: "1"})
	}
	return order
}

func sweeper(temporal *fakeRuns, clusters map[string]Cluster) Sweeper {
	return Sweeper{
		Runs: Runs{Temporal: temporal, TaskQueue: "q", Events: true}, Clusters: clusters, Owner: "namespace-1",
		MinAge: MinAge, Pace: NewPace(), Log: slog.New(slog.DiscardHandler),
	}
}

func TestSweep_StopsOnlyWhatHasNoOpenRun(t *testing.T) {
	app := &fakeCluster{held: []ray.HeldTurn{
		heldTurn("terminated", "t1", domain.RayRunning, old),
		heldTurn("terminated", "t2", domain.RayQueued, old),
		heldTurn("terminated", "t3", domain.RayCompleted, old),
		heldTurn("deleted", "t4", domain.RayRunning, old),
		heldTurn("running", "t5", domain.RayRunning, old),
		heldTurn("just begun", "t6", domain.RayRunning, time.Minute),
		heldTurn("completed", "t7", domain.RayRunning, old),
		heldTurn("ended unheard", "t8", domain.RayCompleted, old),
		heldTurn("running", "t9", domain.RayCompleted, old),
	}}
	temporal := &fakeRuns{last: map[string]*historypb.HistoryEvent{
		"terminated": terminated("me", "enough"), "running": nil, "completed": bySelf(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED),
		"ended unheard": bySelf(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED),
	}}

	require.NoError(t, sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local"))

	require.ElementsMatch(t, []domain.StopOrder{
		stopOf("completed", "t7"), stopOf("deleted", "t4"), stopOf("terminated", "t1", "t2"),
	}, app.stopped)
	require.ElementsMatch(t, []domain.StopOrder{stopOf("ended unheard", "t8"), stopOf("terminated", "t3")}, app.forgotten)
	require.Len(t, temporal.announced, 1)
	require.Contains(t, string(temporal.announced[0].Events[0].Data), `"task_id":"T of terminated"`)
}

func heldTurnOf(run, deliberation, id string) ray.HeldTurn {
	turn := heldTurn(deliberation, id, domain.RayRunning, old)
	turn.Labels[ray.LabelRun] = run
	return turn
}

func TestSweep_StopsWhatAnEarlierRunOfTheIDLeft(t *testing.T) {
	app := &fakeCluster{unheard: []string{"runner/a/1"}, held: []ray.HeldTurn{
		heldTurnOf("run-before", "started again", "t1"),
		heldTurnOf("run-of-started again", "started again", "t2"),
		heldTurnOf("run-before", "reset", "t4"),
	}}
	temporal := &fakeRuns{
		last:   map[string]*historypb.HistoryEvent{"started again": nil, "reset": nil},
		resets: map[string]string{"reset": "run-before"},
	}

	require.NoError(t, sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local"))

	require.Equal(t, []domain.StopOrder{stopOf("started again", "t1")}, app.stopped)
	require.Empty(t, temporal.announced, "the open run is no end")
}

// Else nobody would find the run again.
func TestSweep_AnnouncesBeforeItStops(t *testing.T) {
	var happened []string
	note := func(what string) { happened = append(happened, what) }
	app := &fakeCluster{held: []ray.HeldTurn{heldTurn("terminated", "t1", domain.RayRunning, old)}, happened: note}
	temporal := &fakeRuns{last: map[string]*historypb.HistoryEvent{"terminated": terminated("me", "")}, happened: note}
	l := sweeper(temporal, map[string]Cluster{"local": app})

	temporal.refuse = errAway
	require.ErrorIs(t, l.Sweep(t.Context(), "local"), errAway)
	require.Empty(t, happened, "it is found again by its work")

	temporal.refuse = nil
	require.NoError(t, l.Sweep(t.Context(), "local"))
	require.Equal(t, []string{"announced", "stopped"}, happened)
}

func TestSweep_ARunThatIsResetMeanwhileKeepsItsWork(t *testing.T) {
	app := &fakeCluster{held: []ray.HeldTurn{heldTurn("terminated", "t1", domain.RayRunning, old)}}
	temporal := &fakeRuns{last: map[string]*historypb.HistoryEvent{"terminated": terminated("me", "")}}
	temporal.happened = func(string) { temporal.last["terminated"] = nil }

	require.NoError(t, sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local"))

	require.Len(t, temporal.announced, 1)
	require.Empty(t, app.stopped)
}

func TestSweep_AreStoppedWhereNobodyMayAnnounce(t *testing.T) {
	app := &fakeCluster{held: []ray.HeldTurn{heldTurn("terminated", "t1", domain.RayRunning, old)}}
	temporal := &fakeRuns{
		last: map[string]*historypb.HistoryEvent{"terminated": terminated("me", "")}, refuse: serviceerror.NewPermissionDenied("no", ""),
	}

	require.NoError(t, sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local"))

	require.Len(t, app.stopped, 1)
}

func TestSweep_WhatFailsOfOneKeepsNoOtherFromBeingStopped(t *testing.T) {
	app := &fakeCluster{held: []ray.HeldTurn{
		heldTurn("a", "t1", domain.RayRunning, old), heldTurn("unreadable", "t2", domain.RayRunning, old), heldTurn("z", "t3", domain.RayRunning, old),
	}}
	temporal := &fakeRuns{
		last:  map[string]*historypb.HistoryEvent{"a": terminated("me", ""), "unreadable": terminated("me", ""), "z": terminated("me", "")},
		fails: map[string]error{"unreadable": errAway},
	}

	err := sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local")

	require.EqualError(t, err, "1 of 3 deliberations: temporal is away")
	require.ElementsMatch(t, []domain.StopOrder{stopOf("a", "t1"), stopOf("z", "t3")}, app.stopped)
}

func TestSweep_ReportsTurnsThatAreNotSeenToStop(t *testing.T) {
	app := &fakeCluster{held: []ray.HeldTurn{heldTurn("deleted", "t1", domain.RayRunning, old)}, says: domain.RayRunning}

	err := sweeper(&fakeRuns{}, map[string]Cluster{"local": app}).Sweep(t.Context(), "local")

	require.EqualError(t, err, `1 of 1 deliberations: 1 of 1 turns of "deleted" not seen to stop`)
}

func TestSweep_OfARunnerThatHangsHoldUpNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &fakeCluster{hangs: "d-000"}
		for i := range 40 {
			app.held = append(app.held, heldTurn(fmt.Sprintf("d-%03d", i), "t", domain.RayRunning, old))
		}
		start := time.Now()

		err := sweeper(&fakeRuns{}, map[string]Cluster{"local": app}).Sweep(t.Context(), "local")

		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, app.stopped, 39)
		require.Less(t, time.Since(start), within+time.Second)
	})
}

func TestSweep_AreManyAndTemporalIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app, temporal := &fakeCluster{}, &fakeRuns{}
		for i := range 1000 {
			app.held = append(app.held, heldTurn(fmt.Sprintf("d-%03d", i), "t", domain.RayRunning, old))
		}
		start := time.Now()

		require.NoError(t, sweeper(temporal, map[string]Cluster{"local": app}).Sweep(t.Context(), "local"))

		require.Len(t, app.stopped, 1000)
		require.Less(t, time.Since(start), time.Minute)
		for i, at := range temporal.asked[perSecond:] {
			require.GreaterOrEqual(t, at.Sub(temporal.asked[i]), time.Second)
		}
	})
}

func TestSweep_LooksAtEveryClusterNowAndEveryFewMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away, there := &fakeCluster{away: errors.New("connection refused")}, &fakeCluster{}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()

		sweeper(&fakeRuns{}, map[string]Cluster{"a": away, "b": there}).Watch(ctx)

		require.Equal(t, []int{4, 4}, []int{away.looks, there.looks})
	})
}
