package fakes

import (
	"context"
	"errors"
	"slices"
	"sync"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Ray stands in for the activities that work with Ray. It keeps the submitted turns, ends them by their scripts, and
// notes the inputs of its activities.
type Ray struct {
	clock
	mu sync.Mutex

	Agents        map[string]Script                   // by agent id
	SubmitReplies []Reply[contract.SubmitTurnsResult] // to the first submits, in order; later submits are accepted
	StopReplies   []Reply[contract.StopTurnsResult]   // to the first stops, in order; later stops stop their turns
	Tombstones    []domain.TurnID                     // turns that were stopped before they were submitted
	Away          func(cluster string) bool           // reports whether the cluster doesn't answer a stop

	// ScriptFor and SubmitReplyFor, if set, replace Agents and SubmitReplies. They decide by the task's description.
	ScriptFor      func(task, agent string) Script
	SubmitReplyFor func(task string) Reply[contract.SubmitTurnsResult]

	// PhaseScript says how the turns after the proposals end. By default it is [LaterPhases].
	PhaseScript func(contract.TurnRef) Script

	Submitted []contract.SubmitTurnsInput
	Awaited   []contract.AwaitTurnInput
	Stopped   []contract.StopTurnsInput
	Forgotten []contract.Handle
	Stops     []contract.StopTurnsResult // the results of the stops

	turns map[domain.TurnID]turn
	ended map[domain.TurnID]bool // turns that ended or were stopped, also before they were submitted
	tasks map[string]string      // descriptions, by deliberation
}

type turn struct {
	contract.TurnRef

	task string
}

func newRay(c clock) *Ray {
	return &Ray{
		clock: c, Agents: map[string]Script{}, PhaseScript: LaterPhases, Away: func(string) bool { return false },
		turns: map[domain.TurnID]turn{}, ended: map[domain.TurnID]bool{}, tasks: map[string]string{},
	}
}

// Look calls a function while no activity can change the notes.
func (f *Ray) Look(function func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	function()
}

// Accepted is the answer to a submit when there is room.
func Accepted(in contract.SubmitTurnsInput) contract.SubmitTurnsResult {
	result := contract.SubmitTurnsResult{}
	for _, turn := range in.Turns {
		result.Handles = append(result.Handles, contract.Handle{
			TurnID: turn.TurnID, Cluster: in.Cluster, Runner: "runner/a/0", Incarnation: "1",
		})
	}
	return result
}

func (f *Ray) submit(in contract.SubmitTurnsInput) Reply[contract.SubmitTurnsResult] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Submitted = append(f.Submitted, in)
	said := f.submitReply(in)
	if said.Err != nil || said.Value.Refusal != "" {
		return said
	}
	if said.Value.Handles == nil {
		said.Value = Accepted(in)
	}
	for _, ref := range in.Turns {
		if slices.Contains(f.Tombstones, ref.TurnID) {
			said.Value.Cancelled = append(said.Value.Cancelled, ref.TurnID)
			said.Value.Handles = slices.DeleteFunc(said.Value.Handles, func(h contract.Handle) bool { return h.TurnID == ref.TurnID })
			continue
		}
		f.turns[ref.TurnID] = turn{ref, f.tasks[in.DeliberationID]}
	}
	return said
}

func (f *Ray) submitReply(in contract.SubmitTurnsInput) Reply[contract.SubmitTurnsResult] {
	if in.Brief != nil {
		f.tasks[in.DeliberationID] = in.Brief.Request.Domain().TaskDescription()
	}
	if f.SubmitReplyFor != nil {
		return f.SubmitReplyFor(f.tasks[in.DeliberationID])
	}
	said := Reply[contract.SubmitTurnsResult]{Value: Accepted(in)}
	if len(f.SubmitReplies) > 0 {
		said, f.SubmitReplies = f.SubmitReplies[0], f.SubmitReplies[1:]
	}
	return said
}

// AwaitTurn ends a turn by its agent's script.
func (f *Ray) AwaitTurn(ctx context.Context, in contract.AwaitTurnInput) (contract.TurnOutcome, error) {
	f.mu.Lock()
	f.Awaited = append(f.Awaited, in)
	said := f.attempt(in.Handle.TurnID).Reply
	f.mu.Unlock()
	if said.Value.Metadata == nil && said.Value.Kind == domain.OutcomeCompleted {
		said.Value.Metadata = map[string]string{"submission_id": string(in.Handle.TurnID), "cluster": in.Handle.Cluster}
	}
	return give(ctx, f.clock, said, func(*contract.TurnOutcome) {
		if said.Err == nil && said.Value.Kind != domain.OutcomeUnreachable {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ended[in.Handle.TurnID] = true
		}
	})
}

// attempt returns how a turn ends by its script. A turn that was never submitted belongs to no agent.
func (f *Ray) attempt(id domain.TurnID) Attempt {
	held := f.turns[id]
	if held.Phase != "" && held.Phase != domain.Propose {
		return f.PhaseScript(held.TurnRef).attempt(max(1, held.Attempt))
	}
	script := f.Agents[held.AgentID]
	if f.ScriptFor != nil {
		script = f.ScriptFor(held.task, held.AgentID)
	}
	return script.attempt(max(1, held.Attempt))
}

// StopTurns stops turns, unless a reply says otherwise, and forgets others.
func (f *Ray) StopTurns(ctx context.Context, in contract.StopTurnsInput) (contract.StopTurnsResult, error) {
	return give(ctx, f.clock, f.stop(in), nothing)
}

func (f *Ray) stop(in contract.StopTurnsInput) Reply[contract.StopTurnsResult] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Away(in.Turns[0].Cluster) {
		return Reply[contract.StopTurnsResult]{Err: errors.New("connection refused")}
	}
	f.Stopped = append(f.Stopped, in)
	said := Reply[contract.StopTurnsResult]{}
	if len(f.StopReplies) > 0 {
		if said, f.StopReplies = f.StopReplies[0], f.StopReplies[1:]; said.Err != nil || said.Delay == Forever {
			return said
		}
	}
	said.Value = contract.StopTurnsResult{Outcomes: map[domain.TurnID]contract.TurnOutcome{}}
	for _, handle := range in.Turns {
		f.ended[handle.TurnID] = true
		said.Value.Outcomes[handle.TurnID] = StoppedByUs
		if found := f.attempt(handle.TurnID).AtStop; found != nil {
			said.Value.Outcomes[handle.TurnID] = *found
		}
	}
	f.Stops = append(f.Stops, said.Value)
	return said
}

func (f *Ray) forget(handles []contract.Handle) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Forgotten = append(f.Forgotten, handles...)
}

// Live returns the turns that haven't ended.
func (f *Ray) Live() []domain.TurnID {
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
