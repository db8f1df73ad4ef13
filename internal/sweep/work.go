package sweep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// Cluster lists, stops and forgets the turns of a Ray cluster; [ray.Client] implements it.
type Cluster interface {
	Turns(ctx context.Context, owner string) (ray.Inventory, error)
	Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error)
	Forget(ctx context.Context, orders ...domain.StopOrder) error
}

// work has the turns of one run of a deliberation on one cluster.
type work struct {
	deliberation string
	originalRun  string
	taskID       string
	working      []domain.Handle
	ended        []domain.Handle
}

// worksOf groups the turns that are old enough by run, in a fixed order.
func worksOf(held []ray.HeldTurn, cluster string, minAge time.Duration) []work {
	found := map[string]work{}
	for _, turn := range held {
		if turn.AgeSeconds <= minAge.Seconds() {
			continue
		}
		run := turn.Labels[ray.LabelRun]
		key := turn.Deliberation + "\x00" + run
		of := found[key]
		of.deliberation, of.originalRun, of.taskID = turn.Deliberation, run, turn.Labels["task_id"]
		if turn.State.Runs() {
			of.working = append(of.working, turn.Handle(cluster))
		} else {
			of.ended = append(of.ended, turn.Handle(cluster))
		}
		found[key] = of
	}
	return domain.Each(slices.Sorted(maps.Keys(found)), func(key string) work { return found[key] })
}

// remove stops the turns that run and frees the places of the others. It returns how many turns it stopped.
func (w work) remove(ctx context.Context, from Cluster, owner string) (stopped int, err error) {
	order := domain.StopOrder{Owner: owner, Deliberation: w.deliberation, Reason: "no open run"}
	if order.Handles = w.working; len(order.Handles) > 0 {
		seen, err := from.Stop(ctx, order)
		if err != nil {
			return 0, err
		}
		if running := stillRunning(seen); running > 0 {
			return 0, fmt.Errorf("%d of %d turns of %s not seen to stop", running, len(seen), domain.Quote(w.deliberation))
		}
	}
	if order.Handles = w.ended; len(order.Handles) > 0 {
		err = from.Forget(ctx, order)
	}
	return len(w.working), err
}

// stillRunning counts the turns that may still run.
func stillRunning(seen []domain.Observation) int {
	running := 0
	for _, turn := range seen {
		if turn.State.Runs() || turn.Unreachable != "" {
			running++
		}
	}
	return running
}
