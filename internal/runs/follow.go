package runs

import (
	"context"
	"time"

	historypb "go.temporal.io/api/history/v1"
)

// retryEvery is the pause after an error, before the history is read again.
const retryEvery = 2 * time.Second

// HistoryEvent is one event of a history, or the reason why there is none.
type HistoryEvent struct {
	Event *historypb.HistoryEvent
	Err   error
}

// Follow sends the run's events as they happen. After an error it sends all of them again, from the first one. It ends
// with the context.
func (r Reader) Follow(ctx context.Context, run Run) <-chan HistoryEvent {
	sent := make(chan HistoryEvent)
	go func() {
		for r.streamHistory(ctx, run, sent) {
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
	}()
	return sent
}

// streamHistory sends all events, or the first ones and an error. It reports whether anybody still listens.
func (r Reader) streamHistory(ctx context.Context, run Run, to chan<- HistoryEvent) bool {
	for event, err := range eventsUntilTheEnd(ctx, r, run.execution(), allEvents) {
		select {
		case to <- HistoryEvent{event, err}:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// Refresh describes the run again and reports whether Temporal answered; if not, the run stays as it was. The client
// itself retries the reading of a history silently, for minutes, so only Refresh notices that Temporal is away.
func (r Reader) Refresh(ctx context.Context, run *Run, within time.Duration) bool {
	asking, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	seen, err := r.Describe(asking, run.ID, run.RunID)
	if err == nil {
		*run = seen
	}
	return err == nil || ctx.Err() != nil || !MayAnswerLater(err)
}
