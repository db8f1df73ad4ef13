package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// stories are the workflows. The environment is read only for Openings and when a council moves.
type stories struct{ environment domain.Environment }

// Deliberation puts the request's task to its council and ranks the proposals. It ends with a result, with
// InvalidRequest, DeliberationFailed or DeadlineExceeded, or as cancelled. It takes one input: a second one is refused,
// since the SDK would drop it without a word.
func (s stories) Deliberation(ctx workflow.Context, input, second contract.Input) (contract.Result, error) {
	d, err := s.open(ctx, contract.Received(input.Payload(), second.Payload()))
	if err != nil {
		return contract.Result{}, err
	}

	end := d.deliberate(ctx)

	d.stopRest(ctx, end)
	return d.conclude(ctx, end)
}

// deliberation is one run of the workflow.
type deliberation struct {
	run     run
	opening Opening
	council domain.Council // every decision so far
	place   *placement
	clock   *clock
	events  *eventQueue
	work    []*pursuit // every assignment so far
	forget  []contract.Handle
	finish  finish
	shown   shown
}

// run identifies this run in Temporal.
type run struct {
	key     domain.RunKey
	id      string
	started time.Time
}

// endReason says why a run or a phase stops waiting for its agents.
type endReason string

const (
	endDecided   endReason = "decided"
	endDeadline  endReason = "deadline"
	endQueue     endReason = "queue"
	endCancelled endReason = "cancelled"
	endStopped   endReason = "stopped"
	endPatience  endReason = contract.ReasonPatience // ends a phase, never the run
)

// early reports whether agents may still be at work.
func (e endReason) early() bool { return e != endDecided }

// open registers the handlers first, so that queries are answered from the first workflow task on. Then it reads
// the request and the environment.
func (s stories) open(ctx workflow.Context, request contract.Request) (*deliberation, error) {
	info := workflow.GetInfo(ctx)
	d := &deliberation{
		run: run{
			key:     domain.RunKey{WorkflowID: info.WorkflowExecution.ID, OriginalRunID: info.OriginalRunID},
			id:      info.WorkflowExecution.RunID,
			started: info.WorkflowStartTime.UTC(),
		},
		shown: shown{status: domain.StatusRunning, phase: phaseOpening},
	}
	if err := d.answerQueries(ctx); err != nil {
		return nil, err
	}
	if err := d.answerStopNow(ctx); err != nil {
		return nil, err
	}
	opening, err := recordOpening(ctx, s.environment, request)
	if err != nil {
		return nil, err
	}
	d.opening = opening
	if len(opening.Faults) > 0 {
		return nil, d.refuse(ctx, opening.Faults)
	}
	d.council = domain.NewCouncil(opening.Request.Domain(), d.run.key)
	d.place = newPlacement(s.environment, opening)
	d.clock = &clock{timeout: d.request().Constraints().Timeout()}
	if err := d.showOpening(ctx); err != nil {
		return nil, err
	}
	d.events = startEvents(ctx, d)
	d.announceStarted(ctx)
	return d, nil
}

func (d *deliberation) request() domain.DeliberationRequest { return d.council.Request() }

// deliberate runs phase after phase until the council plans no more, or the run ends early.
func (d *deliberation) deliberate(ctx workflow.Context) endReason {
	working, stop := workflow.WithCancel(ctx)
	defer stop()

	workflow.Go(working, d.stopAbandoned)
	plan := d.council.Plan()
	for ; len(plan.Next) > 0; plan = d.council.Plan() {
		if end, over := d.over(); over { // the end came while the previous phase was being closed
			return end
		}
		if end := d.runPhase(working, plan.Next); end.early() {
			return end
		}
	}
	d.finish.planned = plan.Stop
	return endDecided
}

// over reports whether the run ends before its council has decided, and why.
func (d *deliberation) over() (why endReason, over bool) {
	switch {
	case d.finish.asked:
		return endStopped, true
	case d.clock.late:
		return endDeadline, true
	}
	return "", false
}
