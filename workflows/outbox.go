package workflows

import (
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// DeliberationOutbox publishes the events that weren't stored when a deliberation ended, in order. It tries for up
// to seven days.
func (s stories) DeliberationOutbox(ctx workflow.Context, in contract.OutboxInput) error {
	for left := in.Events; len(left) > 0; {
		batch := nextBatch(left, "")
		title := "publish · " + domain.Count(len(batch.Events), "event")
		if _, err := PublishEvents.call(ctx, outboxFor, title, batch).get(ctx); err != nil {
			return err
		}
		left = left[len(batch.Events):]
	}
	return nil
}
