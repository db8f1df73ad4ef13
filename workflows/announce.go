package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func (d *deliberation) announceStarted(ctx workflow.Context) {
	agents := domain.Each(d.request().Agents(), func(agent domain.AgentConfig) contract.EventAgent {
		return contract.EventAgent{AgentID: agent.ID(), Role: agent.Role(), Model: agent.Model()}
	})
	d.events.publish(ctx, domain.EventStarted, contract.StartedEvent{
		DeliberationID: d.run.key.WorkflowID, RunID: d.run.id, TaskID: d.request().TaskID(), Role: d.request().Role(),
		StoryID: d.request().Constraints().StoryID(), PlanID: d.request().Constraints().PlanID(),
		Status: domain.StatusRunning, Agents: agents, StartedAt: d.run.started,
	})
}

// announcePhase announces that a phase has begun, if the council has more than one, and that the agents' answers
// stream. These events, and those that still wait from the phase before, are published when Ray accepts the phase.
func (d *deliberation) announcePhase(ctx workflow.Context, phase domain.Phase, turns int) {
	d.events.hold()
	if phase.Kind == domain.Propose {
		for _, agent := range d.request().Agents() {
			d.events.begin(ctx, domain.EventStreamStart, agent.ID(), contract.StreamStartEvent{
				Role: agent.Role(), Status: "streaming", Model: agent.Model(),
				DeliberationID: d.run.key.WorkflowID, AgentID: agent.ID(),
			})
		}
	}
	if d.request().Protocol().SharesTexts() {
		d.events.begin(ctx, domain.EventPhaseStarted, "", contract.PhaseStartedEvent{
			DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), Phase: phase.Kind, Round: phase.Round, Turns: turns,
		})
	}
}

// announceAgent publishes the end of an agent's part in a phase.
func (d *deliberation) announceAgent(ctx workflow.Context, turn domain.Turn) {
	d.showCouncil(ctx)
	switch turn.Phase().Kind {
	case domain.Propose:
		d.announceProposal(ctx, turn)
	case domain.PeerReview:
		if review, ended := d.council.ReviewOf(turn); ended {
			d.events.publish(ctx, domain.EventReviewed, contract.ReviewedEvent{
				DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), ReviewRecord: contract.ReviewRecordOf(review), Candidates: contract.CandidatesOf(review.Order),
			})
		}
	case domain.Revise:
		if revision, ended := d.council.RevisionOf(turn); ended {
			d.events.publish(ctx, domain.EventRevised, contract.RevisedEvent{
				DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), AgentID: revision.AgentID, Round: revision.Round,
				Proposal: revision.After.Proposal, Reasoning: revision.After.Reasoning,
				ErrorType: revision.Failure.Kind(), Message: revision.Failure.Message(),
			})
		}
	case domain.Synthesize: // `completed` has the final answer
	}
}

func (d *deliberation) announceProposal(ctx workflow.Context, turn domain.Turn) {
	seat, known := d.council.Seat(turn.Agent().ID())
	switch {
	case !known:
	case seat.State() == domain.AgentCompleted:
		d.events.publish(ctx, domain.EventAgentCompleted, contract.AgentCompletedEventOf(d.run.key.WorkflowID, d.request().TaskID(), seat.Result()))
	default:
		failure := seat.Failure()
		d.events.publish(ctx, domain.EventAgentFailed, contract.AgentFailedEvent{
			DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), AgentID: failure.AgentID(),
			Role: seat.Agent().Role(), ErrorType: failure.Kind(), Message: failure.Message(), Attempts: failure.Attempts(),
		})
	}
}

// announceEnd publishes the last event of a run.
func (d *deliberation) announceEnd(ctx workflow.Context, result contract.Result, err error) {
	if err == nil {
		d.events.publish(ctx, domain.EventCompleted, result)
		return
	}
	kind, errorType := domain.EventFailed, domain.DeliberationFailed
	switch application, failed := errors.AsType[*temporal.ApplicationError](err); {
	case temporal.IsCanceledError(err):
		kind, errorType = domain.EventCancelled, domain.Cancelled
	case failed:
		errorType = domain.FailureKind(application.Type())
	}
	d.events.publish(ctx, kind, contract.EndedEvent{
		DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), Status: d.shown.status, ErrorType: errorType,
		Message: d.shown.failure, Failures: contract.AgentFailuresOf(d.council.Rank().Failures()),
		ExecutionTimeMS: d.executionTime().Milliseconds(),
	})
}
