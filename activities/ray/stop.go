package ray

import (
	"context"
	"net/http"
	"slices"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// perStop bounds the turns in one stop request: as many as a council has agents.
	perStop = domain.MaxAgents
	// perForget is the app's own bound.
	perForget = 1024
)

// stopAgain is the pause before the next request for turns that are still ending. The app itself waits for them too.
const stopAgain = 100 * time.Millisecond

type endBody struct {
	Owner  string       `json:"owner"`
	Reason string       `json:"reason,omitempty"`
	Turns  []handleBody `json:"turns"`
}

type handleBody struct {
	ID           domain.TurnID `json:"submission_id"`
	Deliberation string        `json:"deliberation"`
	Runner       string        `json:"runner"`
	Incarnation  string        `json:"incarnation"`
}

func handleBodiesOf(order domain.StopOrder, handles []domain.Handle) []handleBody {
	return domain.Each(handles, func(handle domain.Handle) handleBody {
		return handleBody{ID: handle.TurnID, Deliberation: order.Deliberation, Runner: handle.Runner, Incarnation: handle.Incarnation}
	})
}

func endBodyOf(order domain.StopOrder, turns []handleBody) endBody {
	return endBody{Owner: order.Owner, Reason: cutTo(order.Reason, maxRefusal), Turns: turns}
}

// Stop asks again while a turn hasn't ended, or the response left it out for its length. When the time is over, it
// returns what is known of each turn, which may still run, or whose runner may not answer.
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
			return c.inOrder(handles, seen), nil // the others' answers are known: one runner must not hide them
		case err != nil:
			return nil, err
		}
		for _, observation := range read {
			seen[observation.TurnID] = observation
		}
		left := slices.DeleteFunc(slices.Clone(pending), func(handle domain.Handle) bool {
			observation, known := seen[handle.TurnID]
			return known && !observation.Runs()
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

// stopOnce stops the turns and returns their states, without those that the app left out for their length.
func (c *Client) stopOnce(ctx context.Context, order domain.StopOrder, handles []domain.Handle, until time.Time) ([]domain.Observation, error) {
	ask := call{
		op: "stop on " + c.name, method: http.MethodPost, path: "/v1/turns/stop",
		body: endBodyOf(order, handleBodiesOf(order, handles)), within: time.Until(until), limit: longAnswer, as: always,
	}
	var answer struct {
		statesAnswer
		Left []domain.TurnID `json:"left"`
	}
	if err := c.ask(ctx, ask, &answer); err != nil {
		return nil, err
	}
	handles = slices.DeleteFunc(slices.Clone(handles), func(handle domain.Handle) bool {
		return slices.Contains(answer.Left, handle.TurnID)
	})
	states, err := answer.inOrder(handles)
	if err != nil {
		return nil, ask.unreadable(err)
	}
	return c.observations(states), nil
}

// inOrder returns what was seen of each turn, in the handles' order.
func (c *Client) inOrder(handles []domain.Handle, seen map[domain.TurnID]domain.Observation) []domain.Observation {
	return domain.Each(handles, func(handle domain.Handle) domain.Observation {
		if observation, known := seen[handle.TurnID]; known {
			return observation
		}
		return domain.Observation{TurnID: handle.TurnID, Unreachable: c.reason("its answer could not be read in time")}
	})
}

func pause(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}

// Forget makes the app drop the turns' outcomes. All orders must have the same owner.
func (c *Client) Forget(ctx context.Context, orders ...domain.StopOrder) error {
	var handles []domain.Handle
	var bodies []handleBody
	for _, order := range orders {
		handles = append(handles, order.Handles...)
		bodies = append(bodies, handleBodiesOf(order, order.Handles)...)
	}
	until := time.Now().Add(c.within.control)
	for start := 0; start < len(handles); start += perForget {
		end := min(start+perForget, len(handles))
		ask := call{
			op: "forget on " + c.name, method: http.MethodPost, path: "/v1/turns/forget",
			body: endBodyOf(orders[0], bodies[start:end]), within: time.Until(until), limit: shortAnswer, as: always,
		}
		if err := c.forgetOnce(ctx, ask, handles[start:end]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) forgetOnce(ctx context.Context, ask call, handles []domain.Handle) error {
	var answer statesAnswer
	switch err := c.ask(ctx, ask, &answer); {
	case c.sightings.gone(err, handles, c.within.away):
		return nil
	case err != nil:
		return passing(err)
	}
	if _, err := answer.inOrder(handles); err != nil {
		return ask.unreadable(err)
	}
	return nil
}
