package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

const (
	// leftoversEvery is how often left-over work is looked for.
	leftoversEvery = 3 * time.Minute
	// leftoversAge spares what is so young that Temporal may not tell of its run yet.
	leftoversAge = 2 * time.Minute
)

// runs tells how a workflow stands; a Temporal client does.
type runs interface {
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// holder lists and stops the turns of a cluster; a Ray client does.
type holder interface {
	Turns(ctx context.Context, owner string) ([]ray.HeldTurn, error)
	Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error)
}

// leftovers ends work on Ray that nobody waits for any more: of runs that were terminated, timed out or
// deleted from outside. Without it such work ends by its own run_seconds.
type leftovers struct {
	runs     runs
	clusters map[string]holder
	owner    string
	log      *slog.Logger
}

// watch looks at once and then every few minutes, until the context ends.
func (l leftovers) watch(ctx context.Context) {
	tick := time.NewTicker(leftoversEvery)
	defer tick.Stop()
	for {
		for _, name := range slices.Sorted(maps.Keys(l.clusters)) {
			if err := l.sweep(ctx, name); err != nil && ctx.Err() == nil {
				l.log.Debug("left-over work not looked for", "cluster", name, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (l leftovers) sweep(ctx context.Context, cluster string) error {
	held, err := l.clusters[cluster].Turns(ctx, l.owner)
	if err != nil {
		return err
	}
	running := map[string][]domain.Handle{} // by deliberation
	for _, turn := range held {
		old := turn.AgeSeconds > leftoversAge.Seconds()
		if old && (turn.State == domain.RayQueued || turn.State == domain.RayRunning) {
			running[turn.Deliberation] = append(running[turn.Deliberation], turn.Handle(cluster))
		}
	}
	for _, deliberation := range slices.Sorted(maps.Keys(running)) {
		open, err := l.open(ctx, deliberation)
		switch {
		case err != nil:
			return err
		case open:
			continue
		}
		order := domain.StopOrder{Owner: l.owner, Deliberation: deliberation, Handles: running[deliberation], Reason: "no open run"}
		if _, err := l.clusters[cluster].Stop(ctx, order); err != nil {
			return err
		}
		l.log.Warn("left-over work stopped: its deliberation has no open run", "deliberation_id", deliberation,
			"cluster", cluster, "turns", len(order.Handles))
	}
	return nil
}

// open asks for the run itself: lists of runs lag behind.
func (l leftovers) open(ctx context.Context, deliberation string) (bool, error) {
	described, err := l.runs.DescribeWorkflowExecution(ctx, deliberation, "")
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return false, nil
	}
	status := described.GetWorkflowExecutionInfo().GetStatus()
	closed := described.GetWorkflowExecutionInfo().GetCloseTime() != nil
	return status != enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED && !closed, err
}
