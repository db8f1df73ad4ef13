package fakes

import historypb "go.temporal.io/api/history/v1"

// Events iterates over the events of a history, as a Temporal client does. Err, if set, comes instead of
// the first event.
type Events struct {
	Events []*historypb.HistoryEvent
	Err    error
}

func (e *Events) HasNext() bool { return e.Err != nil || len(e.Events) > 0 }

func (e *Events) Next() (*historypb.HistoryEvent, error) {
	if e.Err != nil {
		return nil, e.Err
	}
	next := e.Events[0]
	e.Events = e.Events[1:]
	return next, nil
}
