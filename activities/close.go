package activities

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// closeDeliberation stores a run's last events and lets Ray forget its outcomes, side by side. It tries each once:
// events that aren't stored go to the outbox, and keep_seconds ends outcomes on Ray.
func (s set) closeDeliberation(ctx context.Context, in contract.CloseDeliberationInput) (contract.CloseDeliberationResult, error) {
	var result contract.CloseDeliberationResult
	trying, cancel := context.WithTimeout(ctx, workflows.CloseTries)
	defer cancel()
	var doing sync.WaitGroup
	doing.Go(func() {
		if err := s.storeAll(trying, in); err != nil {
			result.EventsError = bounded(err.Error())
			return
		}
		result.Stored = len(in.Events)
	})
	doing.Go(func() {
		if err := s.forgetAll(trying, in); err != nil {
			result.ForgetError = bounded(err.Error())
		}
	})
	doing.Wait()
	activity.GetLogger(ctx).Debug("deliberation closed", keyDeliberation, in.DeliberationID,
		"stored", result.Stored, "events_error", result.EventsError, "forget_error", result.ForgetError)
	return result, ctx.Err()
}

func (s set) storeAll(ctx context.Context, in contract.CloseDeliberationInput) error {
	events, err := eventsOf(in.Events, in.TaskDescription)
	if err != nil || len(events) == 0 {
		return err
	}
	leave, err := s.enterPublisher()
	if err != nil {
		return err
	}
	defer leave()
	published, err := s.Publisher.Publish(ctx, events)
	measureEvents(ctx, published)
	return err
}

func (s set) forgetAll(ctx context.Context, in contract.CloseDeliberationInput) error {
	return together(byCluster(in.Forget), func(handles []domain.Handle) error {
		cluster, err := s.cluster(ctx, handles[0].Cluster)
		if err != nil {
			return err
		}
		return s.forgets.forget(ctx, cluster, s.order(in.DeliberationID, handles, "in history"))
	})
}
