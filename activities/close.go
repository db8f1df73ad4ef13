package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// closeDeliberation stores a run's last events, and hands over the outcomes that Ray may forget. It tries each once:
// events that aren't stored go to the outbox, and the sweep or keep_seconds ends outcomes on Ray.
func (s set) closeDeliberation(ctx context.Context, in contract.CloseDeliberationInput) (contract.CloseDeliberationResult, error) {
	s.forgetAll(ctx, in)
	var result contract.CloseDeliberationResult
	trying, cancel := context.WithTimeout(ctx, workflows.CloseTries)
	defer cancel()
	if err := s.storeAll(trying, in.Events, in.TaskDescription); err != nil {
		result.EventsError = bounded(err.Error())
	} else {
		result.Stored = len(in.Events)
	}
	activity.GetLogger(ctx).Debug("deliberation closed", keyDeliberation, in.DeliberationID,
		"stored", result.Stored, "events_error", result.EventsError)
	return result, ctx.Err()
}

// storeAll tries once to store events.
func (s set) storeAll(ctx context.Context, records []contract.EventRecord, description string) error {
	events, err := eventsOf(records, description)
	if err != nil || len(events) == 0 {
		return err
	}
	return s.publish(ctx, events)
}

// forgetAll doesn't wait until Ray has forgotten the outcomes: the caller's result doesn't depend on it.
func (s set) forgetAll(ctx context.Context, in contract.CloseDeliberationInput) {
	log := activity.GetLogger(ctx)
	for _, handles := range byCluster(in.Forget) {
		failed := func(err error) {
			log.Warn("outcomes not forgotten", keyDeliberation, in.DeliberationID, "cluster", handles[0].Cluster, "error", err)
		}
		cluster, err := s.cluster(ctx, handles[0].Cluster)
		if err != nil {
			failed(err)
			continue
		}
		s.forgets.leave(ctx, cluster, s.order(in.DeliberationID, handles, "in history"), failed)
	}
}
