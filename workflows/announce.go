package workflows

import (
	"encoding/json"
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// maxEvent is what an event carries at most; NATS takes 1 MiB by default.
const maxEvent = 512 << 10

func (d *deliberation) announceStarted(ctx workflow.Context) {
	agents := make([]contract.EventAgent, 0, len(d.work))
	for _, agent := range d.request.Agents() {
		agents = append(agents, contract.EventAgent{AgentID: agent.ID(), Role: agent.Role(), Model: agent.Model()})
	}
	d.news.tell(ctx, domain.EventStarted, "", contract.StartedEvent{
		DeliberationID: d.key.WorkflowID, RunID: d.runID, TaskID: d.request.TaskID(), Role: d.request.Role(),
		StoryID: d.request.Constraints().StoryID(), PlanID: d.request.Constraints().PlanID(),
		Status: domain.StatusRunning, Agents: agents, StartedAt: d.started,
	})
}

func (d *deliberation) announceStreams(ctx workflow.Context) {
	for _, agent := range d.request.Agents() {
		d.news.tell(ctx, domain.EventStreamStart, agent.ID(), contract.StreamStartEvent{
			Role: agent.Role(), Status: "streaming", Model: agent.Model(),
			DeliberationID: d.key.WorkflowID, AgentID: agent.ID(),
		})
	}
}

// announceAgent tells what an agent came to.
func (d *deliberation) announceAgent(ctx workflow.Context, w *work) {
	d.showCouncil(ctx)
	for _, seat := range d.council.Seats() {
		if seat.Agent.ID() != w.turn.Agent().ID() {
			continue
		}
		if seat.State == domain.AgentCompleted {
			r := contract.AgentResultOf(0, seat.Result())
			d.news.tell(ctx, domain.EventAgentCompleted, "", contract.AgentCompletedEvent{
				DeliberationID: d.key.WorkflowID, TaskID: d.request.TaskID(), AgentID: r.AgentID, Role: r.Role,
				Model: r.Model, Proposal: r.Proposal, Reasoning: r.Reasoning, Score: r.Score, Attempts: r.Attempts,
				DurationMS: r.DurationMS, Usage: r.Usage, Metadata: r.Metadata,
			})
			return
		}
		failure := seat.Failure()
		d.news.tell(ctx, domain.EventAgentFailed, "", contract.AgentFailedEvent{
			DeliberationID: d.key.WorkflowID, TaskID: d.request.TaskID(), AgentID: failure.AgentID(),
			Role: seat.Agent.Role(), ErrorType: failure.Kind(), Message: failure.Message(), Attempts: failure.Attempts(),
		})
	}
}

// announceEnd is the last event of a run.
func (d *deliberation) announceEnd(ctx workflow.Context, result contract.Result, err error) {
	if err == nil {
		d.news.tell(ctx, domain.EventCompleted, "", d.completedEvent(result))
		return
	}
	kind, errorType := domain.EventFailed, domain.DeliberationFailed
	var application *temporal.ApplicationError
	switch {
	case temporal.IsCanceledError(err):
		kind, errorType = domain.EventCancelled, domain.Cancelled
	case errors.As(err, &application):
		errorType = domain.FailureKind(application.Type())
	}
	d.news.tell(ctx, kind, "", contract.EndedEvent{
		DeliberationID: d.key.WorkflowID, TaskID: d.request.TaskID(), Status: d.status, ErrorType: errorType,
		Message: d.failure, Failures: contract.AgentFailuresOf(d.council.Rank().Failures()),
		ExecutionTimeMS: d.closed.Sub(d.started).Milliseconds(),
	})
}

func (d *deliberation) completedEvent(result contract.Result) any {
	whole := contract.CompletedEvent{Result: result, RunID: d.runID}
	if encoded, err := json.Marshal(whole); err == nil && len(encoded) <= maxEvent {
		return whole
	}
	return whole.Brief()
}
