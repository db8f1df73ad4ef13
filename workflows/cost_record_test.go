//go:build integration

package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

const day = 24 * time.Hour

// TestRecord_OutcomesTogether records a council whose outcomes arrive in one workflow task: no worker takes
// workflow tasks while the turns end.
func TestRecord_OutcomesTogether(t *testing.T) {
	w := newWorld(t, "outcomes_together")
	gates := w.holdTurns()
	run := w.start(contract.DeliberationName, fakes.Council(3))
	w.awaitsIdle(run, 3)
	w.stops[w.queue]()
	for _, gate := range gates {
		close(gate)
	}
	w.awaitsEvents(run, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 4) // the submit, three turns
	w.workOn(w.queue)
	w.keepCost(run, "outcomes_together")
}

// TestRecord_OutcomesApart records a council whose outcomes arrive in workflow tasks of their own, while the
// first of them is being published.
func TestRecord_OutcomesApart(t *testing.T) {
	w := newWorld(t, "outcomes_apart")
	gates, stored := w.holdTurns(), make(chan struct{})
	w.NATS.ReplyTo = func(call int) fakes.Reply[contract.PublishEventsResult] {
		reply := fakes.Reply[contract.PublishEventsResult]{}
		if call == 2 { // the submit's events are the first
			reply.Delay, reply.Until, reply.Quiet = day, stored, true
		}
		return reply
	}
	run := w.start(contract.DeliberationName, fakes.Council(3))
	w.eventually(w.awaiting(3))
	for n, gate := range gates {
		close(gate)
		w.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 3+n)
	}
	close(stored)
	w.keepCost(run, "outcomes_apart")
}

// holdTurns lets each of three agents answer when its gate is closed.
func (w *world) holdTurns() []chan struct{} {
	gates := make([]chan struct{}, 3)
	for n, agent := range []string{"agent-1", "agent-2", "agent-3"} {
		gates[n] = make(chan struct{})
		held := fakes.Answer("a proposal", 0.5)
		held.Delay, held.Until, held.Quiet = day, gates[n], true
		w.Ray.Agents[agent] = fakes.Replies(held)
	}
	return gates
}

// awaitsIdle waits until the turns are awaited and the workflow has nothing else to do.
func (w *world) awaitsIdle(run client.WorkflowRun, turns int) {
	w.Helper()
	w.eventually(w.awaiting(turns))
	w.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 2) // begun, accepted
}

func (w *world) awaitsEvents(run client.WorkflowRun, kind enumspb.EventType, count int) {
	w.Helper()
	w.eventually(func() bool {
		found := 0
		for _, event := range w.history(run.GetID(), run.GetRunID()).GetEvents() {
			if event.GetEventType() == kind {
				found++
			}
		}
		return found >= count
	})
}

// keepCost keeps the history, and checks that its transitions are those that Temporal counted.
func (w *world) keepCost(run client.WorkflowRun, name string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), recordWithin)
	defer cancel()
	require.NoError(w, run.Get(ctx, nil))
	require.Equal(w, []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventStreamStart,
		domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}, w.NATS.Kinds())
	history := w.keep(name, run.GetID(), run.GetRunID())
	described, err := w.client.DescribeWorkflowExecution(w.Context(), run.GetID(), run.GetRunID())
	require.NoError(w, err)
	require.Equal(w, described.GetWorkflowExecutionInfo().GetStateTransitionCount(), int64(transitionsOf(history.GetEvents())))
}

// TestRecord_AReviewOfFiveApart records a council of five that reviews and revises twice, which takes 30 turns. The turns
// of a phase end one after the other.
func TestRecord_AReviewOfFiveApart(t *testing.T) {
	w := newWorld(t, "five_apart")
	delays := map[string]time.Duration{}
	for i, agent := range fakes.Council(5).Agents {
		delays[agent.AgentID] = time.Second + time.Duration(i)*300*time.Millisecond
		w.Ray.Agents[agent.AgentID] = fakes.Replies(quietly(fakes.Answer("a proposal", 0.5), delays[agent.AgentID]))
	}
	w.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		return fakes.Replies(quietly(disagreeing(ref)[0].Reply, delays[ref.AgentID]))
	}
	w.keepThirtyTurns(w.start(contract.DeliberationName, withReview(fakes.Council(5), 2)), "five_apart")
}

// TestRecord_AReviewOfFiveTogether records the same. The outcomes of each phase arrive in one workflow task: no worker
// takes workflow tasks while the turns end.
func TestRecord_AReviewOfFiveTogether(t *testing.T) {
	w := newWorld(t, "five_together")
	ends := make([]chan struct{}, 6)
	for i := range ends {
		ends[i] = make(chan struct{})
	}
	held := func(phase int, reply fakes.Reply[contract.TurnOutcome]) fakes.Script {
		reply.Delay, reply.Until, reply.Quiet = day, ends[phase], true
		return fakes.Replies(reply)
	}
	for _, agent := range fakes.Council(5).Agents {
		w.Ray.Agents[agent.AgentID] = held(0, fakes.Answer("a proposal", 0.5))
	}
	w.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		phase := 2*ref.Round - 1
		if ref.Phase == domain.Revise {
			phase = 2 * ref.Round
		}
		return held(phase, disagreeing(ref)[0].Reply)
	}
	run := w.start(contract.DeliberationName, withReview(fakes.Council(5), 2))
	for phase, end := range ends {
		w.eventually(w.awaiting(5 * (phase + 1)))
		w.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 2*(phase+1)) // the phase is submitted, accepted
		w.stops[w.queue]()
		close(end)
		w.awaitsEvents(run, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 6*(phase+1)) // the submit, five turns
		w.workOn(w.queue)
	}
	w.keepThirtyTurns(run, "five_together")
}

func (w *world) keepThirtyTurns(run client.WorkflowRun, name string) {
	w.Helper()
	var result contract.Result
	require.NoError(w, run.Get(w.Context(), &result))
	require.Equal(w, 30, result.Usage.LLMCalls)
	w.keep(name, run.GetID(), run.GetRunID())
}

func quietly(reply fakes.Reply[contract.TurnOutcome], after time.Duration) fakes.Reply[contract.TurnOutcome] {
	reply.Delay, reply.Quiet = after, true
	return reply
}
