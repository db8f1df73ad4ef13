package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// refuse ends a run whose request breaks a rule; the message names every fault.
func (d *deliberation) refuse(ctx workflow.Context, faults []string) error {
	d.close(ctx, domain.StatusFailed)
	d.shown.failure = strings.Join(faults, "; ")
	details := []string{"**InvalidRequest**\n"}
	for _, fault := range faults {
		details = append(details, "- "+inline(fault))
	}
	workflow.SetCurrentDetails(ctx, strings.Join(details, "\n"))
	err := failed(domain.InvalidRequest, d.shown.failure)
	if err := d.showRefusal(ctx); err != nil {
		return err
	}
	d.measureEnd(ctx, err)
	return err
}

// conclude decides the outcome, announces it and ends the run. From here on a cancellation changes nothing.
func (d *deliberation) conclude(ctx workflow.Context, why endReason) (contract.Result, error) {
	ctx, _ = workflow.NewDisconnectedContext(ctx) // never cancelled, since that would cancel the outbox too
	result, err := d.outcome(ctx, why)
	d.measureEnd(ctx, err)
	if shown := d.showEnd(ctx, err); shown != nil {
		return contract.Result{}, shown
	}
	d.announceEnd(ctx, result, err)
	d.closeRun(ctx)
	d.answerWaiting(ctx, result, err)
	return result, err
}

// mostForgotten bounds the handles in the closing step's input, which also has events and the task's description.
const mostForgotten = 500

// closeRun publishes the last events, and lets Ray forget the outcomes that are in history. Events that aren't
// stored then go to the outbox. Outcomes that aren't forgotten end by their keep_seconds.
func (d *deliberation) closeRun(ctx workflow.Context) {
	in := contract.CloseDeliberationInput{
		DeliberationID: d.run.key.WorkflowID, Events: d.events.close(ctx), Forget: d.forget[max(0, len(d.forget)-mostForgotten):],
	}
	if describe(in.Events) {
		in.TaskDescription = d.request().TaskDescription()
	}
	if len(in.Events)+len(in.Forget) == 0 {
		d.events.leave(ctx)
		return
	}
	title := fmt.Sprintf("close · %s · forget %s", domain.Count(len(in.Events), "event"), domain.Count(len(in.Forget), "turn"))
	done, err := CloseDeliberation.call(ctx, closeWithin, title, in).get(ctx)
	if err != nil || done.EventsError != "" {
		workflow.GetLogger(ctx).Debug("run closed in part", "error", err, "events", done.EventsError)
	}
	d.events.stored(done.Stored)
	d.events.leave(ctx)
}

// outcome returns the run's result or its error.
func (d *deliberation) outcome(ctx workflow.Context, why endReason) (contract.Result, error) {
	if why == endCancelled {
		d.close(ctx, domain.StatusCancelled)
		d.shown.failure = "cancelled"
		return contract.Result{}, temporal.NewCanceledError()
	}
	if !d.council.QuorumMet() || why == endQueue { // with given proposals, the quorum is met before any review
		d.close(ctx, domain.StatusFailed)
		return contract.Result{}, d.shortOfQuorum(why)
	}
	d.close(ctx, domain.StatusCompleted)
	result := d.result(why)
	d.shown.best = result.BestResult
	return result, nil
}

func (d *deliberation) shortOfQuorum(why endReason) error {
	ranked := d.council.Rank()
	kind, phase := domain.DeliberationFailed, string(domain.Propose)
	message := fmt.Sprintf("%d of %s gave a proposal, %d needed",
		ranked.Completed(), domain.Count(ranked.Total(), "agent"), d.council.Needs())
	switch why {
	case endQueue:
		kind, phase = domain.DeadlineExceeded, phaseQueued
		message = fmt.Sprintf("queued for %d s without room on Ray; last refusal: %s",
			seconds(d.request().Constraints().QueueTimeout()), d.shown.refusal)
	case endDeadline:
		kind = domain.DeadlineExceeded
		message = fmt.Sprintf("%s by the deadline of %d s", message, seconds(d.request().Constraints().Timeout()))
	case endDecided, endCancelled, endPatience, endStopped:
	}
	for _, failure := range ranked.Failures() {
		message += fmt.Sprintf("; %s: %s: %s", failure.AgentID(), failure.Kind(), failure.Message())
	}
	d.shown.failure, _ = domain.CutEncoded(message, domain.MaxMessage)
	return failed(kind, d.shown.failure, contract.FailureDetails{
		DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), Phase: phase,
		Failures: contract.AgentFailuresOf(ranked.Failures()), Usage: contract.TotalUsageOf(d.council, d.opening.Prices),
	})
}

func (d *deliberation) result(why endReason) contract.Result {
	ranked := d.council.Rank()
	results := contract.ResultsOf(ranked)
	reason := d.finish.planned
	switch {
	case why == endStopped:
		reason = domain.StopStopped
	case why.early():
		reason = domain.StopDeadline
	}
	result := contract.Result{
		DeliberationID: d.run.key.WorkflowID, TaskID: d.request().TaskID(), Status: domain.StatusCompleted,
		RankingBasis: ranked.Basis(), Degraded: ranked.Degraded() || reason == domain.StopReviewsFailed, BestResult: &results[0], Results: results,
		Failures: contract.AgentFailuresOf(ranked.Failures()), TotalAgents: ranked.Total(), CompletedAgents: ranked.Completed(),
		FailedAgents: ranked.Failed(), AverageScore: ranked.AverageScore(), HasFailures: ranked.Failed() > 0,
		StopReason: reason, Usage: contract.TotalUsageOf(d.council, d.opening.Prices),
		StartedAt: d.run.started, CompletedAt: d.shown.closed,
		ExecutionTimeMS: d.executionTime().Milliseconds(),
	}
	result.Votes, result.Synthesis, result.ChairFailure = contract.VotesOf(ranked), contract.SynthesisOf(d.council), contract.ChairFailureOf(d.council)
	if d.request().Protocol().Review() != domain.ReviewNone {
		result.Review, result.Candidates = contract.ReviewSummaryOf(d.council, ranked), contract.CandidatesOf(d.council.Candidates())
		result.Reviews, result.Revisions = contract.ReviewRecordsOf(d.council), contract.RevisionRecordsOf(d.council)
	}
	return result
}

// executionTime returns the time from the start to the decision. The result, the events, the metrics and the
// statistics all show this time.
func (d *deliberation) executionTime() time.Duration { return d.shown.closed.Sub(d.run.started) }

func (d *deliberation) close(ctx workflow.Context, status domain.DeliberationStatus) {
	d.shown.close(status, workflow.Now(ctx).UTC())
}

// lastRefusal returns why the last try of a submission failed, for one that ran out of time.
func lastRefusal(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return application.Message()
	}
	return "no worker took the submission in time"
}

// failed returns the error that a run ends with. The details contain the failures.
func failed(kind domain.FailureKind, message string, details ...any) error {
	return temporal.NewApplicationErrorWithOptions(message, string(kind), temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: details,
	})
}
