package workflows_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// forever is longer than any deliberation.
const forever = time.Duration(1 << 62)

// reply is what a fake says, and after how long.
type reply[Out any] struct {
	out   Out
	err   error
	after time.Duration
}

// pace is how an activity waits: in skipped time it hands its answer in later, else it blocks.
type pace struct {
	env *testsuite.TestWorkflowEnvironment
}

func nothing() {}

func hold[Out any](ctx context.Context, p pace, r reply[Out], then func()) (Out, error) {
	var none Out
	if r.after == 0 {
		then()
		return r.out, r.err
	}
	if p.env != nil {
		token := activity.GetInfo(ctx).TaskToken
		if r.after != forever {
			p.env.RegisterDelayedCallback(func() {
				then()
				_ = p.env.CompleteActivity(token, r.out, r.err)
			}, r.after)
		}
		return none, activity.ErrResultPending
	}
	done := time.NewTimer(r.after)
	defer done.Stop()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-done.C:
			then()
			return r.out, r.err
		case <-ctx.Done():
			return none, ctx.Err()
		case <-beat.C:
			activity.RecordHeartbeat(ctx)
		}
	}
}

// fakeRay is the Ray app behind the activities: it holds turns, and runs them by script.
type fakeRay struct {
	pace

	mu      sync.Mutex
	agents  map[string]script
	submit  []reply[contract.SubmitTurnsResult] // for the calls in order, then every turn is accepted
	refuses []domain.TurnID                     // turns that were stopped before they came
	gone    func(cluster string) bool           // clusters that can't be asked to stop anything
	stop    []reply[contract.StopTurnsResult]   // for the calls in order, then every turn is stopped

	submitted []contract.SubmitTurnsInput
	awaited   []contract.AwaitTurnInput
	stopped   []contract.StopTurnsInput
	forgotten []contract.Handle
	said      []contract.StopTurnsResult
	turns     map[domain.TurnID]contract.TurnRef
	ended     map[domain.TurnID]bool
}

func newFakeRay(p pace) *fakeRay {
	return &fakeRay{
		pace: p, agents: map[string]script{}, gone: func(string) bool { return false },
		turns: map[domain.TurnID]contract.TurnRef{}, ended: map[domain.TurnID]bool{},
	}
}

// accepted is what the app says to a submission that it has room for.
func accepted(in contract.SubmitTurnsInput) contract.SubmitTurnsResult {
	result := contract.SubmitTurnsResult{}
	for _, turn := range in.Turns {
		result.Handles = append(result.Handles, contract.Handle{
			TurnID: turn.TurnID, Cluster: in.Cluster, Runner: "runner/a/0", Incarnation: "1",
		})
	}
	return result
}

func (f *fakeRay) SubmitTurns(ctx context.Context, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	return hold(ctx, f.pace, f.place(in), nothing)
}

func (f *fakeRay) place(in contract.SubmitTurnsInput) reply[contract.SubmitTurnsResult] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.submitted = append(f.submitted, in)
	said := reply[contract.SubmitTurnsResult]{out: accepted(in)}
	if len(f.submit) > 0 {
		said, f.submit = f.submit[0], f.submit[1:]
	}
	if said.err != nil || said.out.Refusal != "" {
		return said
	}
	if said.out.Handles == nil {
		said.out = accepted(in)
	}
	for _, turn := range in.Turns {
		if slices.Contains(f.refuses, turn.TurnID) {
			said.out.Cancelled = append(said.out.Cancelled, turn.TurnID)
			said.out.Handles = slices.DeleteFunc(said.out.Handles, func(h contract.Handle) bool { return h.TurnID == turn.TurnID })
			continue
		}
		f.turns[turn.TurnID] = turn
	}
	return said
}

func (f *fakeRay) AwaitTurn(ctx context.Context, in contract.AwaitTurnInput) (contract.TurnOutcome, error) {
	f.mu.Lock()
	f.awaited = append(f.awaited, in)
	turn := f.turns[in.Handle.TurnID]
	said := f.agents[turn.AgentID].of(turn.Attempt).reply
	f.mu.Unlock()
	if said.out.Metadata == nil && said.out.Kind == domain.OutcomeCompleted {
		said.out.Metadata = map[string]string{"submission_id": string(in.Handle.TurnID), "cluster": in.Handle.Cluster}
	}
	return hold(ctx, f.pace, said, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ended[in.Handle.TurnID] = said.err == nil && said.out.Kind != domain.OutcomeUnreachable
	})
}

func (f *fakeRay) StopTurns(ctx context.Context, in contract.StopTurnsInput) (contract.StopTurnsResult, error) {
	return hold(ctx, f.pace, f.end(in), nothing)
}

func (f *fakeRay) end(in contract.StopTurnsInput) reply[contract.StopTurnsResult] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten = append(f.forgotten, in.Forget...)
	if len(in.Stop) == 0 {
		return reply[contract.StopTurnsResult]{}
	}
	if f.gone(in.Stop[0].Cluster) {
		return reply[contract.StopTurnsResult]{err: errors.New("connection refused")}
	}
	f.stopped = append(f.stopped, in)
	said := reply[contract.StopTurnsResult]{}
	if len(f.stop) > 0 {
		if said, f.stop = f.stop[0], f.stop[1:]; said.err != nil || said.after == forever {
			return said
		}
	}
	said.out = contract.StopTurnsResult{Outcomes: map[domain.TurnID]contract.TurnOutcome{}}
	for _, handle := range in.Stop {
		f.ended[handle.TurnID] = true
		said.out.Outcomes[handle.TurnID] = stoppedByUs
		turn := f.turns[handle.TurnID]
		if found := f.agents[turn.AgentID].of(max(1, turn.Attempt)).atStop; found != nil {
			said.out.Outcomes[handle.TurnID] = *found
		}
	}
	f.said = append(f.said, said.out)
	return said
}

// live are the turns that nobody has seen to end.
func (f *fakeRay) live() []domain.TurnID {
	f.mu.Lock()
	defer f.mu.Unlock()
	var live []domain.TurnID
	for id := range f.turns {
		if !f.ended[id] {
			live = append(live, id)
		}
	}
	return live
}

// fakeNATS stores events once by their ids, as JetStream does within its window.
type fakeNATS struct {
	pace

	mu     sync.Mutex
	says   func(call int) reply[contract.PublishEventsResult] // nil = stores at once
	inputs []contract.PublishEventsInput
	stored []contract.EventRecord
	ids    map[string]bool
}

func (f *fakeNATS) PublishEvents(ctx context.Context, in contract.PublishEventsInput) (contract.PublishEventsResult, error) {
	f.mu.Lock()
	f.inputs = append(f.inputs, in)
	said := reply[contract.PublishEventsResult]{out: contract.PublishEventsResult{Stored: len(in.Events)}}
	if f.says != nil {
		said = f.says(len(f.inputs))
	}
	if said.err == nil && said.after != forever {
		for _, event := range in.Events {
			if !f.ids[event.ID] {
				f.ids[event.ID] = true
				f.stored = append(f.stored, event)
			}
		}
	}
	f.mu.Unlock()
	return hold(ctx, f.pace, said, nothing)
}

// kinds are the events that were stored, in order.
func (f *fakeNATS) kinds() []domain.EventKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	kinds := make([]domain.EventKind, 0, len(f.stored))
	for _, event := range f.stored {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

// fakeVisibility answers counts in order; the last one repeats.
type fakeVisibility struct {
	pace

	mu     sync.Mutex
	says   []reply[contract.CountResult]
	counts int
	asked  []contract.CountInput
}

func (f *fakeVisibility) CountDeliberations(ctx context.Context, in contract.CountInput) (contract.CountResult, error) {
	f.mu.Lock()
	f.counts++
	f.asked = append(f.asked, in)
	said := f.says[min(f.counts, len(f.says))-1]
	f.mu.Unlock()
	return hold(ctx, f.pace, said, nothing)
}
