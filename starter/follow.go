package main

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

const (
	lookEvery  = time.Second     // at the pending activities' heartbeats
	retryEvery = 2 * time.Second // while Temporal doesn't answer
)

// follow waits until the run has ended and shows its progress. It listens to the history, so the end is
// seen at once and nothing is asked of a worker. A Temporal that is away is waited for. When ctx ends,
// so does the wait; the run goes on.
func (c *cli) follow(ctx context.Context, e execution) (*timeline, error) {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	t, shown := newTimeline(), c.newProgress()
	defer shown.clear()
	news := c.server.listen(listening, e)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case heard := <-news:
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case heard.err != nil && !silent(heard.err):
				return nil, heard.err
			case heard.err != nil:
				shown.away(c.explained(heard.err))
				t = newTimeline() // it is told anew, from the first event
				continue
			}
			t.take(heard.event)
		case <-look.C:
			c.glance(ctx, &e)
			shown.show(openView(e, t))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if t.closing != nil {
			shown.finish(openView(e, t))
			return t, nil
		}
	}
}

// heard is one event of a history, or why there is none.
type heard struct {
	event *historypb.HistoryEvent
	err   error
}

// listen sends the history's events as they happen; after an error, all of them again.
func (s server) listen(ctx context.Context, e execution) <-chan heard {
	news := make(chan heard)
	tell := func(h heard) bool {
		select {
		case news <- h:
			return true
		case <-ctx.Done():
			return false
		}
	}
	go func() {
		for ctx.Err() == nil {
			events := s.GetWorkflowHistory(ctx, e.id, e.runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				event, err := events.Next()
				if !tell(heard{event, err}) {
					return
				}
				if err != nil {
					break
				}
			}
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
	}()
	return news
}

// glance reads the heartbeats; when Temporal doesn't answer, the last ones stay.
func (c *cli) glance(ctx context.Context, e *execution) {
	looking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if seen, err := c.server.describe(looking, e.id, e.runID); err == nil {
		*e = seen
	}
}
