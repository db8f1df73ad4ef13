package activities_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
)

// fakeRay is a Ray cluster in memory. It holds turns until a test ends them.
type fakeRay struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, whenever a turn changes
	turns   map[domain.TurnID]domain.Observation
	buried  map[domain.TurnID]bool

	submitted []domain.Submission
	polled    []time.Duration
	stopped   []domain.StopOrder
	forgotten [][]domain.StopOrder // by request

	refusals  []error // for the first submits, in order; later ones find room
	hasty     bool    // polls are answered immediately, even while the turn runs
	hangs     bool    // a submit isn't answered before its context ends
	awaitErr  error
	stopErr   error
	stopTakes time.Duration
	deaf      map[domain.TurnID]bool // turns that a stop doesn't end
	silent    map[domain.TurnID]bool // turns that a stop's answer leaves out
}

func newFakeRay() *fakeRay {
	return &fakeRay{
		changed: make(chan struct{}), turns: map[domain.TurnID]domain.Observation{}, buried: map[domain.TurnID]bool{},
		deaf: map[domain.TurnID]bool{}, silent: map[domain.TurnID]bool{},
	}
}

func (f *fakeRay) Submit(ctx context.Context, submission domain.Submission) (domain.Acceptance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submitted = append(f.submitted, submission)
	if f.hangs {
		f.mu.Unlock()
		<-ctx.Done()
		f.mu.Lock()
		return domain.Acceptance{}, ctx.Err()
	}
	if len(f.refusals) > 0 {
		var refusal error
		refusal, f.refusals = f.refusals[0], f.refusals[1:]
		return domain.Acceptance{}, refusal
	}
	var accepted domain.Acceptance
	for _, ask := range submission.Asks {
		if f.buried[ask.TurnID] {
			accepted.Cancelled = append(accepted.Cancelled, ask.TurnID)
			continue
		}
		if _, held := f.turns[ask.TurnID]; !held {
			f.turns[ask.TurnID] = domain.Observation{TurnID: ask.TurnID, State: domain.RayRunning, Incarnation: "1"}
		}
		accepted.Handles = append(accepted.Handles, domain.Handle{
			TurnID: ask.TurnID, Cluster: "local", Runner: "runner/a/0", Incarnation: "1",
		})
	}
	return accepted, nil
}

func (f *fakeRay) Await(ctx context.Context, handles []domain.Handle, wait time.Duration) ([]domain.Observation, error) {
	over := time.NewTimer(wait)
	defer over.Stop()
	f.mu.Lock()
	f.polled = append(f.polled, wait)
	f.mu.Unlock()
	for late := f.hasty; ; {
		f.mu.Lock()
		var all, ended []domain.Observation
		for _, handle := range handles {
			seen := f.turns[handle.TurnID]
			all = append(all, seen)
			if !seen.Runs() {
				ended = append(ended, seen)
			}
		}
		changed, err := f.changed, f.awaitErr
		f.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case late:
			return all, nil
		case len(ended) > 0:
			return ended, nil
		}
		select {
		case <-changed:
		case <-over.C:
			late = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (f *fakeRay) Stop(_ context.Context, order domain.StopOrder) ([]domain.Observation, error) {
	time.Sleep(f.stopTakes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = append(f.stopped, order)
	if f.stopErr != nil {
		return nil, f.stopErr
	}
	var seen []domain.Observation
	for _, handle := range order.Handles {
		turn := f.turns[handle.TurnID]
		if turn.State == domain.RayRunning && !f.deaf[handle.TurnID] {
			turn.State = domain.RayCancelled
			f.turns[handle.TurnID] = turn
		}
		if !f.silent[handle.TurnID] {
			seen = append(seen, turn)
		}
	}
	slices.Reverse(seen) // callers must not rely on an order
	return seen, nil
}

func (f *fakeRay) Forget(_ context.Context, orders ...domain.StopOrder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = append(f.forgotten, orders)
	for _, order := range orders {
		for _, handle := range order.Handles {
			delete(f.turns, handle.TurnID)
			f.buried[handle.TurnID] = true
		}
	}
	return nil
}

// becomes changes the state of a turn, and wakes those who wait for it.
func (f *fakeRay) becomes(seen domain.Observation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turns[seen.TurnID] = seen
	close(f.changed)
	f.changed = make(chan struct{})
}

// submits counts the tries to submit.
func (f *fakeRay) submits() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.submitted)
}

// running returns the turns that run, in no order.
func (f *fakeRay) running() []domain.TurnID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var running []domain.TurnID
	for id, turn := range f.turns {
		if turn.State == domain.RayRunning {
			running = append(running, id)
		}
	}
	return running
}

func completed(id domain.TurnID, text string) domain.Observation {
	return domain.Observation{
		TurnID: id, State: domain.RayCompleted, Incarnation: "1",
		Completion: domain.Completion{
			Text: text, FinishReason: "stop", Duration: 1500 * time.Millisecond,
			Usage: domain.Usage{PromptTokens: 20, CompletionTokens: 10, Calls: 1},
		},
	}
}

// fakeEvents is a publisher that keeps events, or refuses them.
type fakeEvents struct {
	stored []domain.Event
	err    error
}

func (f *fakeEvents) Publish(_ context.Context, events []domain.Event) (domain.Publication, error) {
	if f.err != nil {
		return domain.Publication{}, f.err
	}
	f.stored = append(f.stored, events...)
	return domain.Publication{Stored: len(events)}, nil
}
