package ray

import (
	"context"
	"net/http"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
)

// perStop bounds how many turns, each with its answer, one request ends: as many as a council has.
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

// Stop asks again while a turn hasn't ended. After a time it gives what it saw: turns that run, or whose
// runner doesn't answer, say so themselves.
func (c *Client) Stop(ctx context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	until := time.Now().Add(c.within.control)
	stopped := make([]domain.Observation, 0, len(order.Handles))
	for handles := range slices.Chunk(order.Handles, perStop) {
		seen, err := c.stop(ctx, order, handles, until)
		if err != nil {
			return nil, err
		}
		stopped = append(stopped, seen...)
	}
	return stopped, nil
}

func (c *Client) stop(ctx context.Context, order domain.StopOrder, handles []domain.Handle, until time.Time) ([]domain.Observation, error) {
	ask := call{
		op: "stop on " + c.name, method: http.MethodPost, path: "/v1/turns/stop",
		body: endBodyOf(order, handles), limit: min(longAnswer, shortAnswer+int64(len(handles))*turnAnswer), as: unguarded,
	}
	var before []domain.Observation
	for {
		ask.within = time.Until(until)
		seen, err := c.observe(ctx, ask, handles)
		switch {
		case err != nil && before != nil && ctx.Err() == nil:
			return before, nil // what one runner held up was known of the others
		case err != nil:
			return nil, err
		}
		before = seen
		if stillRunning(seen) == 0 || time.Until(until) < time.Second {
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(stopAgain):
		}
	}
}

func stillRunning(seen []domain.Observation) int {
	running := 0
	for _, one := range seen {
		if one.State == domain.RayQueued || one.State == domain.RayRunning {
			running++
		}
	}
	return running
}

// Forget drops what the app keeps of the turns.
func (c *Client) Forget(ctx context.Context, order domain.StopOrder) error {
	until := time.Now().Add(c.within.control)
	for handles := range slices.Chunk(order.Handles, perStop) {
		ask := call{
			op: "forget on " + c.name, method: http.MethodPost, path: "/v1/turns/forget",
			body: endBodyOf(order, handles), within: time.Until(until), limit: shortAnswer, as: unguarded,
		}
		var answer statesAnswer
		if err := c.ask(ctx, ask, &answer); err != nil {
			return err
		}
		if _, err := answer.inOrder(handles); err != nil {
			return ask.unreadable(err)
		}
	}
	return nil
}
