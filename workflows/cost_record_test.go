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
	r := newRecording(t, "outcomes_together")
	gates := r.holdTurns()
	run := r.start(contract.DeliberationName, fakes.Council(3))
	r.awaitsIdle(run, 3)
	r.stops[r.queue]()
	for _, gate := range gates {
		close(gate)
	}
	r.awaitsEvents(run, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 4) // the submit, three turns
	r.workOn(r.queue)
	r.keepCost(run, "outcomes_together")
}

// TestRecord_OutcomesApart records a council whose outcomes arrive in workflow tasks of their own, while the
// first of them is being published.
func TestRecord_OutcomesApart(t *testing.T) {
	r := newRecording(t, "outcomes_apart")
	gates, stored := r.holdTurns(), make(chan struct{})
	r.NATS.ReplyTo = func(call int) fakes.Reply[contract.PublishEventsResult] {
		reply := fakes.Reply[contract.PublishEventsResult]{}
		if call == 2 { // the submit's events are the first
			reply.Delay, reply.Until, reply.Quiet = day, stored, true
		}
		return reply
	}
	run := r.start(contract.DeliberationName, fakes.Council(3))
	r.eventually(r.awaiting(3))
	for n, gate := range gates {
		close(gate)
		r.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 3+n)
	}
	close(stored)
	r.keepCost(run, "outcomes_apart")
}

// holdTurns lets each of three agents answer when its gate is closed.
func (r *recording) holdTurns() []chan struct{} {
	gates := make([]chan struct{}, 3)
	for n, agent := range []string{"agent-1", "agent-2", "agent-3"} {
		gates[n] = make(chan struct{})
		held := fakes.Answer("a proposal", 0.5)
		held.Delay, held.Until, held.Quiet = day, gates[n], true
		r.Ray.Agents[agent] = fakes.Replies(held)
	}
	return gates
}

// awaitsIdle waits until the turns are awaited and the workflow has nothing else to do.
func (r *recording) awaitsIdle(run client.WorkflowRun, turns int) {
	r.Helper()
	r.eventually(r.awaiting(turns))
	r.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 2) // begun, accepted
}

func (r *recording) awaitsEvents(run client.WorkflowRun, kind enumspb.EventType, count int) {
	r.Helper()
	r.eventually(func() bool {
		found := 0
		for _, event := range r.history(run.GetID(), run.GetRunID()).GetEvents() {
			if event.GetEventType() == kind {
				found++
			}
		}
		return found >= count
	})
}

// keepCost keeps the history, and checks that its transitions are those that Temporal counted.
func (r *recording) keepCost(run client.WorkflowRun, name string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), recordWithin)
	defer cancel()
	require.NoError(r, run.Get(ctx, nil))
	require.Equal(r, []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart, domain.EventStreamStart,
		domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}, r.NATS.Kinds())
	history := r.keep(name, run.GetID(), run.GetRunID())
	described, err := r.client.DescribeWorkflowExecution(r.Context(), run.GetID(), run.GetRunID())
	require.NoError(r, err)
	require.Equal(r, described.GetWorkflowExecutionInfo().GetStateTransitionCount(), int64(transitionsOf(history.GetEvents())))
}

// TestRecord_AReviewOfFiveApart records a council of five that reviews and revises twice, which takes 30 turns. The turns
// of a phase end one after the other.
func TestRecord_AReviewOfFiveApart(t *testing.T) {
	r := newRecording(t, "five_apart")
	delays := map[string]time.Duration{}
	for i, agent := range fakes.Council(5).Agents {
		delays[agent.AgentID] = time.Second + time.Duration(i)*300*time.Millisecond
		r.Ray.Agents[agent.AgentID] = fakes.Replies(quietly(fakes.Answer("a proposal", 0.5), delays[agent.AgentID]))
	}
	r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		return fakes.Replies(quietly(disagreeing(ref)[0].Reply, delays[ref.AgentID]))
	}
	r.keepThirtyTurns(r.start(contract.DeliberationName, withReview(fakes.Council(5), 2)), "five_apart")
}

// TestRecord_AReviewOfFiveTogether records the same. The outcomes of each phase arrive in one workflow task: no worker
// takes workflow tasks while the turns end.
func TestRecord_AReviewOfFiveTogether(t *testing.T) {
	r := newRecording(t, "five_together")
	ends := make([]chan struct{}, 6)
	for i := range ends {
		ends[i] = make(chan struct{})
	}
	held := func(phase int, reply fakes.Reply[contract.TurnOutcome]) fakes.Script {
		reply.Delay, reply.Until, reply.Quiet = day, ends[phase], true
		return fakes.Replies(reply)
	}
	for _, agent := range fakes.Council(5).Agents {
		r.Ray.Agents[agent.AgentID] = held(0, fakes.Answer("a proposal", 0.5))
	}
	r.Ray.PhaseScript = func(ref contract.TurnRef) fakes.Script {
		phase := 2*ref.Round - 1
		if ref.Phase == domain.Revise {
			phase = 2 * ref.Round
		}
		return held(phase, disagreeing(ref)[0].Reply)
	}
	run := r.start(contract.DeliberationName, withReview(fakes.Council(5), 2))
	for phase, end := range ends {
		r.eventually(r.awaiting(5 * (phase + 1)))
		r.awaitsEvents(run, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, 2*(phase+1)) // the phase is submitted, accepted
		r.stops[r.queue]()
		close(end)
		r.awaitsEvents(run, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, 6*(phase+1)) // the submit, five turns
		r.workOn(r.queue)
	}
	r.keepThirtyTurns(run, "five_together")
}

func (r *recording) keepThirtyTurns(run client.WorkflowRun, name string) {
	r.Helper()
	var result contract.Result
	require.NoError(r, run.Get(r.Context(), &result))
	require.Equal(r, 30, result.Usage.LLMCalls)
	r.keep(name, run.GetID(), run.GetRunID())
}

func quietly(reply fakes.Reply[contract.TurnOutcome], after time.Duration) fakes.Reply[contract.TurnOutcome] {
	reply.Delay, reply.Quiet = after, true
	return reply
}
