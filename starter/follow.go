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
				shown.away(c.server.address)
				t = newTimeline() // it is told anew, from the first event
				continue
			}
			t.take(heard.event)
			shown.agents(openView(e, t))
		case <-look.C:
			if c.server.glance(ctx, &e) {
				shown.back()
			} else {
				shown.away(c.server.address)
			}
			shown.show(openView(e, t))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if t.closing != nil {
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
	go func() {
		for s.recite(ctx, e, news) {
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
	}()
	return news
}

// recite sends the history from its beginning to its end, or to an error. False: nobody listens.
func (s server) recite(ctx context.Context, e execution, news chan<- heard) bool {
	events := s.GetWorkflowHistory(ctx, e.id, e.runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		select {
		case news <- heard{event, err}:
		case <-ctx.Done():
			return false
		}
		if err != nil {
			break
		}
	}
	return ctx.Err() == nil
}

// glance reads the heartbeats; when Temporal doesn't answer, the last ones stay. The client itself asks
// again and again for the history, for minutes and without a word: this is what notices the silence.
func (s server) glance(ctx context.Context, e *execution) bool {
	looking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	seen, err := s.describe(looking, e.id, e.runID)
	if err == nil {
		*e = seen
	}
	return err == nil || ctx.Err() != nil || !silent(err)
}
