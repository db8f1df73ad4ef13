package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// refuse ends a run whose request breaks a rule; the message names every fault.
func (d *deliberation) refuse(ctx workflow.Context, faults []string) error {
	d.close(ctx, domain.StatusFailed)
	d.failure = strings.Join(faults, "; ")
	workflow.SetCurrentDetails(ctx, "**InvalidRequest**\n\n- "+strings.Join(faults, "\n- "))
	err := failed(domain.InvalidRequest, d.failure)
	if err := d.showRefusal(ctx); err != nil {
		return err
	}
	d.measureEnd(ctx, err)
	return err
}

// stopRest ends what may still run on Ray, also of agents that were given up. Turns that had completed
// before the stop came still count.
func (d *deliberation) stopRest(ctx workflow.Context, why end) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if why.unfinished() {
		d.show(ctx, phaseStopping)
	}
	left := d.stopLeft(ctx)
	in := contract.StopTurnsInput{DeliberationID: d.key.WorkflowID, Reason: string(why)}
	for _, w := range d.work {
		for _, p := range w.running() {
			in.Stop = append(in.Stop, p.handle)
		}
	}
	if len(in.Stop) > 0 {
		in.AnswerBytes = min(d.opening.AnswerBytes, domain.AnswerMaximum(len(in.Stop)))
		title := fmt.Sprintf("stop · %s · %s", domain.Count(len(in.Stop), "turn"), why)
		stopped, err := StopTurns.call(ctx, stopWithin, title, in).get(ctx)
		if err != nil {
			workflow.GetLogger(ctx).Warn("turns not seen to stop; run_seconds ends them on Ray", "error", err)
		}
		d.takeStopped(ctx, stopped)
	}
	left()
	d.council = d.council.FailRest(whyUnfinished(why))
}

func (d *deliberation) takeStopped(ctx workflow.Context, stopped contract.StopTurnsResult) {
	for _, w := range d.work {
		agent := w.turn.Agent().ID()
		for _, p := range w.running() {
			outcome, known := stopped.Outcomes[p.turn.ID()]
			if !known {
				continue
			}
			told := d.council.Has(agent)
			d.take(ctx, w, p, outcome.Domain())
			if told {
				continue
			}
			if d.council.Has(agent) {
				d.announceAgent(ctx, w)
			}
		}
	}
}

func whyUnfinished(why end) domain.TurnFailure {
	switch why {
	case endCancelled:
		return domain.NewTurnFailure(domain.Cancelled, "the deliberation was cancelled", false)
	case endQueue:
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no room on Ray in time", false)
	case endDeadline, endDecided:
	}
	return domain.NewTurnFailure(domain.StillRunning, "not finished by the deadline", false)
}

// conclude ranks, tells and ends. The outcome is decided: a cancellation no longer changes it.
func (d *deliberation) conclude(ctx workflow.Context, why end) (contract.Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // never cancelled: that would cancel the outbox too
	result, err := d.outcome(ctx, why)
	d.measureEnd(ctx, err)
	if shown := d.showEnd(ctx, err); shown != nil {
		return contract.Result{}, shown
	}
	d.announceEnd(ctx, result, err)

	forgotten := d.forget(ctx)
	d.news.finish(ctx)
	if forgotten != nil {
		if err := forgotten(); err != nil {
			workflow.GetLogger(ctx).Debug("outcomes not forgotten; keep_seconds drops them on Ray", "error", err)
		}
	}
	return result, err
}

// outcome is the run's result or its error.
func (d *deliberation) outcome(ctx workflow.Context, why end) (contract.Result, error) {
	if why == endCancelled {
		d.close(ctx, domain.StatusCancelled)
		d.failure = "cancelled"
		return contract.Result{}, temporal.NewCanceledError()
	}
	if !d.council.QuorumMet() {
		d.close(ctx, domain.StatusFailed)
		return contract.Result{}, d.shortOfQuorum(why)
	}
	d.close(ctx, domain.StatusCompleted)
	result := d.result(why)
	d.best = result.BestResult
	return result, nil
}

func (d *deliberation) shortOfQuorum(why end) error {
	ranked := d.council.Rank()
	kind, phase := domain.DeliberationFailed, string(domain.Propose)
	message := fmt.Sprintf("%d of %s gave a proposal, %d needed",
		ranked.Completed(), domain.Count(ranked.Total(), "agent"), d.council.Needs())
	switch why {
	case endQueue:
		kind, phase = domain.DeadlineExceeded, phaseQueued
		message = fmt.Sprintf("queued for %d s without room on Ray; last refusal: %s",
			seconds(d.request.Constraints().QueueTimeout()), d.refusal)
	case endDeadline:
		kind = domain.DeadlineExceeded
		message = fmt.Sprintf("%s by the deadline of %d s", message, seconds(d.request.Constraints().Timeout()))
	case endDecided, endCancelled:
	}
	for _, failure := range ranked.Failures() {
		message += fmt.Sprintf("; %s: %s: %s", failure.AgentID(), failure.Kind(), failure.Message())
	}
	d.failure, _ = domain.CutEncoded(message, domain.MaxMessage)
	return failed(kind, d.failure, contract.FailureDetails{
		DeliberationID: d.key.WorkflowID, TaskID: d.request.TaskID(), Phase: phase,
		Failures: contract.AgentFailuresOf(ranked.Failures()), Usage: contract.TotalUsageOf(d.council),
	})
}

func (d *deliberation) result(why end) contract.Result {
	ranked := d.council.Rank()
	results := contract.ResultsOf(ranked)
	reason := contract.StoppedDecided
	if why.unfinished() {
		reason = contract.StoppedDeadline
	}
	return contract.Result{
		DeliberationID: d.key.WorkflowID, TaskID: d.request.TaskID(), Status: domain.StatusCompleted,
		RankingBasis: contract.RankingSelf, Degraded: ranked.Degraded(), BestResult: &results[0], Results: results,
		Failures: contract.AgentFailuresOf(ranked.Failures()), TotalAgents: ranked.Total(), CompletedAgents: ranked.Completed(),
		FailedAgents: ranked.Failed(), AverageScore: ranked.AverageScore(), HasFailures: ranked.Failed() > 0,
		StopReason: reason, Usage: contract.TotalUsageOf(d.council), StartedAt: d.started, CompletedAt: d.closed,
		ExecutionTimeMS: d.closed.Sub(d.started).Milliseconds(),
	}
}

// forget lets Ray drop the outcomes that are in history by now. Nil when there is none.
func (d *deliberation) forget(ctx workflow.Context) func() error {
	finished := slices.Clone(d.forgettable)
	for _, w := range d.work {
		finished = append(finished, w.finished...)
	}
	if len(finished) == 0 {
		return nil
	}
	in := contract.StopTurnsInput{DeliberationID: d.key.WorkflowID, Forget: finished}
	forgotten := StopTurns.call(ctx, forgetWithin, "forget · "+domain.Count(len(finished), "turn"), in)
	return func() error {
		_, err := forgotten.get(ctx)
		return err
	}
}

func (d *deliberation) close(ctx workflow.Context, status domain.DeliberationStatus) {
	d.status, d.phase, d.closed = status, phaseDone, workflow.Now(ctx).UTC()
	d.waitingFor = ""
}
