package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// fakeRuns knows how the runs of some workflow ids stand.
type fakeRuns map[string]enumspb.WorkflowExecutionStatus

var errAway = errors.New("temporal is away")

func (f fakeRuns) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	status, there := f[id]
	switch {
	case id == "unreadable":
		return nil, errAway
	case !there:
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	info := &workflowpb.WorkflowExecutionInfo{Status: status}
	if status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		info.CloseTime = timestamppb.Now()
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}, nil
}

type fakeHolder struct {
	held    []ray.HeldTurn
	looks   int
	stopped []domain.StopOrder
}

func (f *fakeHolder) Turns(context.Context, string) ([]ray.HeldTurn, error) {
	f.looks++
	return f.held, nil
}

func (f *fakeHolder) Stop(_ context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	f.stopped = append(f.stopped, order)
	return nil, nil
}

func heldTurn(deliberation, id string, state domain.RayState, age time.Duration) ray.HeldTurn {
	return ray.HeldTurn{
		TurnID: domain.TurnID(id), Deliberation: deliberation, State: state, Runner: "runner/a/0", Incarnation: "1",
		AgeSeconds: age.Seconds(),
	}
}

func TestLeftovers_StopsOnlyWhatHasNoOpenRun(t *testing.T) {
	const old = 3 * time.Minute
	app := &fakeHolder{held: []ray.HeldTurn{
		heldTurn("terminated", "t1", domain.RayRunning, old),
		heldTurn("terminated", "t2", domain.RayQueued, old),
		heldTurn("terminated", "t3", domain.RayCompleted, old),
		heldTurn("deleted", "t4", domain.RayRunning, old),
		heldTurn("running", "t5", domain.RayRunning, old),
		heldTurn("just begun", "t6", domain.RayRunning, time.Minute),
	}}
	l := leftovers{
		runs: fakeRuns{
			"terminated": enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "running": enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		},
		clusters: map[string]holder{"local": app}, owner: "namespace-1", log: slog.New(slog.DiscardHandler),
	}

	require.NoError(t, l.sweep(t.Context(), "local"))

	where := func(id domain.TurnID) domain.Handle {
		return domain.Handle{TurnID: id, Cluster: "local", Runner: "runner/a/0", Incarnation: "1"}
	}
	require.Equal(t, []domain.StopOrder{
		{Owner: "namespace-1", Deliberation: "deleted", Handles: []domain.Handle{where("t4")}, Reason: "no open run"},
		{Owner: "namespace-1", Deliberation: "terminated", Handles: []domain.Handle{where("t1"), where("t2")}, Reason: "no open run"},
	}, app.stopped)
}

func TestLeftovers_StopsNothingWhileTemporalDoesNotAnswer(t *testing.T) {
	app := &fakeHolder{held: []ray.HeldTurn{heldTurn("unreadable", "t1", domain.RayRunning, time.Hour)}}
	l := leftovers{runs: fakeRuns{}, clusters: map[string]holder{"local": app}, log: slog.New(slog.DiscardHandler)}

	require.ErrorIs(t, l.sweep(t.Context(), "local"), errAway)
	require.Empty(t, app.stopped)
}

func TestLeftovers_LooksAtOnceAndEveryFewMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := &fakeHolder{}
		l := leftovers{runs: fakeRuns{}, clusters: map[string]holder{"local": app}, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()

		l.watch(ctx)

		require.Equal(t, 4, app.looks)
	})
}
