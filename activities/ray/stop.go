package ray

import (
	"context"
	"net/http"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
)

// perStop bounds how many turns one request ends: as many as a council has.
const perStop = domain.MaxAgents

// stopAgain is the pause before turns that still end are asked for again; the app waits by itself.
const stopAgain = 100 * time.Millisecond

type endBody struct {
	Owner        string       `json:"owner"`
	Deliberation string       `json:"deliberation"`
	Reason       string       `json:"reason,omitempty"`
	Turns        []handleBody `json:"turns"`
}

func endBodyOf(order domain.StopOrder, handles []domain.Handle) endBody {
	return endBody{
		Owner: order.Owner, Deliberation: order.Deliberation, Reason: cutTo(order.Reason, maxRefusal),
		Turns: handleBodiesOf(handles),
	}
}

// Stop asks again while a turn hasn't ended, or its answer was left out for its length. After a time it returns
// what it saw: turns that run, or whose runner doesn't answer, say so themselves.
func (c *Client) Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	until := time.Now().Add(c.within.control)
	stopped := make([]domain.Observation, 0, len(order.Handles))
	for handles := range slices.Chunk(order.Handles, perStop) {
		seen, err := c.stopUntil(ctx, order, handles, until)
		if err != nil {
			return nil, passing(err)
		}
		stopped = append(stopped, seen...)
	}
	return stopped, nil
}

func (c *Client) stopUntil(ctx context.Context, order domain.StopOrder, handles []domain.Handle, until time.Time) ([]domain.Observation, error) {
	seen := make(map[domain.TurnID]domain.Observation, len(handles))
	for pending := handles; ; {
		read, err := c.stopOnce(ctx, order, pending, until)
		switch {
		case c.sightings.gone(err, pending, c.within.away):
			read = lost(pending)
		case err != nil && len(seen) > 0 && ctx.Err() == nil:
			return c.inOrder(handles, seen), nil // what one runner held up was known of the others
		case err != nil:
			return nil, err
		}
		for _, observation := range read {
			seen[observation.TurnID] = observation
		}
		left := slices.DeleteFunc(slices.Clone(pending), func(handle domain.Handle) bool {
			observation, known := seen[handle.TurnID]
			return known && !stillRuns(observation)
		})
		if len(left) == 0 || time.Until(until) < time.Second {
			return c.inOrder(handles, seen), nil
		}
		if len(left) == len(pending) { // nothing new: the turns are still ending
			if err := pause(ctx, stopAgain); err != nil {
				return nil, err
			}
		}
		pending = left
	}
}

// stopOnce brings what the app has of the turns. It leaves out answers that would make its own too long.
func (c *Client) stopOnce(ctx context.Context, order domain.StopOrder, handles []domain.Handle, until time.Time) ([]domain.Observation, error) {
	return c.observe(ctx, call{
		op: "stop on " + c.name, method: http.MethodPost, path: "/v1/turns/stop",
		body: endBodyOf(order, handles), within: time.Until(until), limit: longAnswer, as: always,
	}, handles)
}

// inOrder is what was seen of each turn, in the handles' order.
func (c *Client) inOrder(handles []domain.Handle, seen map[domain.TurnID]domain.Observation) []domain.Observation {
	ordered := make([]domain.Observation, 0, len(handles))
	for _, handle := range handles {
		observation, known := seen[handle.TurnID]
		if !known {
			observation = domain.Observation{TurnID: handle.TurnID, Unreachable: c.reason("its answer could not be read in time")}
		}
		ordered = append(ordered, observation)
	}
	return ordered
}

func stillRuns(seen domain.Observation) bool {
	return seen.Unreachable == "" && (seen.State == domain.RayQueued || seen.State == domain.RayRunning)
}

func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// Forget drops what the app keeps of the turns.
func (c *Client) Forget(ctx context.Context, order domain.StopOrder) error {
	until := time.Now().Add(c.within.control)
	for handles := range slices.Chunk(order.Handles, perStop) {
		ask := call{
			op: "forget on " + c.name, method: http.MethodPost, path: "/v1/turns/forget",
			body: endBodyOf(order, handles), within: time.Until(until), limit: shortAnswer, as: always,
		}
		var answer statesAnswer
		switch err := c.ask(ctx, ask, &answer); {
		case c.sightings.gone(err, handles, c.within.away):
			continue
		case err != nil:
			return passing(err)
		}
		if _, err := answer.inOrder(handles); err != nil {
			return ask.unreadable(err)
		}
	}
	return nil
}
