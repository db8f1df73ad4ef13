package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// runPhase submits the phase's turns to Ray together and pursues each, until all are settled or the council has
// waited long enough for the slow ones.
func (d *deliberation) runPhase(ctx workflow.Context, assignments []domain.Assignment) endReason {
	phase := assignments[0].Phase
	pursuits := d.assign(assignments)
	d.announcePhase(ctx, phase, len(pursuits))
	end, err := d.submitTogether(ctx, pursuits)
	switch {
	case err != nil:
		d.events.refused(ctx)
		d.giveUp(ctx, contract.FailureOf(err))
		return endDecided
	case end.early():
		d.events.refused(ctx)
		return end
	}
	d.clock.start(ctx)
	d.show(ctx, phase)
	working, stop := workflow.WithCancel(ctx)
	defer stop()
	for _, p := range pursuits {
		workflow.Go(working, func(ctx workflow.Context) { d.pursue(ctx, p) })
	}
	patience := d.startPatience(working, phase)

	err = workflow.Await(ctx, func() bool { return d.council.Settled(phase) || d.clock.late || d.finish.asked || patience.over })
	switch {
	case d.finish.asked && err == nil:
		return endStopped
	case d.council.Settled(phase):
		return endDecided
	case err != nil:
		return endCancelled
	case d.clock.late:
		return endDeadline
	}
	stop()
	// The council no longer waits for the slow turns. A turn that had completed still counts.
	d.stop(ctx, pursuits, endPatience)
	d.giveUp(ctx, failureFor(endPatience))
	return endDecided
}

// giveUp gives up every assignment that isn't settled, and announces it.
func (d *deliberation) giveUp(ctx workflow.Context, failure domain.TurnFailure) {
	unfinished := slices.DeleteFunc(slices.Clone(d.work), func(p *pursuit) bool { return d.council.Done(p.turn) })
	d.council = d.council.Close(failure)
	for _, p := range unfinished {
		d.announceAgent(ctx, p.turn)
	}
}

// assign enters the assignments into the council's ledger.
func (d *deliberation) assign(assignments []domain.Assignment) []*pursuit {
	d.council = d.council.Assign(assignments)
	pursuits := domain.Each(assignments, func(of domain.Assignment) *pursuit { return &pursuit{turn: d.council.Turn(of)} })
	d.work = append(d.work, pursuits...)
	return pursuits
}

// submitTogether submits all turns of a phase to Ray in one request, since a council lives on one runner. It returns
// why the run ends early, or the error if Ray refuses these turns for good.
func (d *deliberation) submitTogether(ctx workflow.Context, pursuits []*pursuit) (endReason, error) {
	ctx, stop := d.untilOver(ctx)
	defer stop()
	queue := d.queue(ctx)
	answer, err := d.submitFirst(ctx, queue, pursuits)
	for err == nil && answer.Elsewhere {
		d.events.release()
		d.moveAll(ctx, pursuits)
		answer, err = d.submitWithin(ctx, queue, pursuits, contract.SubmitTurnsInput{})
	}
	early, over := d.over()
	switch {
	case temporal.IsCanceledError(err) && over:
		return early, nil
	case temporal.IsCanceledError(err):
		return endCancelled, nil
	case err != nil && contract.TimedOut(err):
		d.shown.refused(d.place.current, lastRefusal(err))
		return queue.end, nil
	case err != nil:
		return endDecided, err
	case answer.Refusal != "":
		d.shown.refused(d.place.current, answer.Refusal)
		return queue.end, nil
	}
	d.shown.accepted()
	for _, p := range pursuits {
		d.place.abandon(p)
	}
	d.events.begun(ctx, answer.Announced)
	return endDecided, nil
}

// untilOver returns a context that is cancelled when the run ends before its council has decided.
func (d *deliberation) untilOver(ctx workflow.Context) (working workflow.Context, stop workflow.CancelFunc) {
	working, stop = workflow.WithCancel(ctx)
	workflow.Go(working, func(ctx workflow.Context) {
		if workflow.Await(ctx, func() bool { _, over := d.over(); return over }) == nil {
			stop()
		}
	})
	return working, stop
}

// brief returns the texts from which the activity makes the turns of a phase.
func (d *deliberation) brief(pursuits []*pursuit) *contract.Brief {
	assignments := domain.Each(pursuits, func(p *pursuit) domain.Assignment { return p.turn.Assignment() })
	return contract.BriefOf(d.opening.Request, d.opening.Fence, d.council, assignments)
}

// queue says how a phase waits for room on Ray.
type queue struct {
	step   Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult]
	giveUp time.Time
	end    endReason // why the run ends if there is no room until giveUp
}

// queue returns how the next phase waits: until queue_timeout_seconds are over before the first acceptance, and until
// the deadline after it.
func (d *deliberation) queue(ctx workflow.Context) queue {
	if d.clock.started() {
		return queue{step: submitLater, giveUp: d.clock.deadline, end: endDeadline}
	}
	d.showPhase(ctx, phaseQueued)
	return queue{step: SubmitTurns, giveUp: workflow.Now(ctx).Add(d.request().Constraints().QueueTimeout()), end: endQueue}
}

// submitFirst submits the turns of a phase for the first time. If events of the previous phase wait for the
// acceptance, it first submits for a short time only. If there is no room in that time, it releases the events and
// submits again.
func (d *deliberation) submitFirst(ctx workflow.Context, q queue, pursuits []*pursuit) (contract.SubmitTurnsResult, error) {
	first, short := contract.SubmitTurnsInput{Brief: d.brief(pursuits)}, q
	short.giveUp = workflow.Now(ctx).Add(holdFor)
	if !d.events.waits() || !short.giveUp.Before(q.giveUp) {
		return d.submitWithin(ctx, q, pursuits, first)
	}
	answer, err := d.submitWithin(ctx, short, pursuits, first)
	full := err == nil && answer.Refusal != "" && !answer.Elsewhere
	if !full && !contract.TimedOut(err) {
		return answer, err
	}
	d.events.release()
	return d.submitWithin(ctx, q, pursuits, contract.SubmitTurnsInput{Repeated: true})
}

func (d *deliberation) submitWithin(ctx workflow.Context, q queue, pursuits []*pursuit, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	d.shown.waitingFor = d.place.current
	patience := max(time.Second, q.giveUp.Sub(workflow.Now(ctx)))
	in.Events = d.events.carry()
	return d.submit(ctx, q.step, pursuits, patience, in)
}

// moveAll moves a council that waits for room to another cluster. Its turns become new attempts, since the
// old cluster may have accepted them although its answer was lost.
func (d *deliberation) moveAll(ctx workflow.Context, pursuits []*pursuit) {
	before := d.place.current
	d.place.leave(ctx, before)
	if d.place.current == before {
		return
	}
	for _, p := range pursuits {
		_, decision := d.council.Take(p.turn, domain.Outcome{Kind: domain.OutcomeUnreachable})
		p.replace(decision.Next)
	}
	d.showCouncil(ctx)
}

// submit submits turns to Ray together, and records where they live. The input has what the turns don't say.
func (d *deliberation) submit(ctx workflow.Context, step Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult], pursuits []*pursuit, patience time.Duration, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	runFor := d.clock.remaining(ctx)
	in.DeliberationID, in.OriginalRunID, in.Cluster = d.run.key.WorkflowID, d.run.key.OriginalRunID, d.place.current
	in.RunSeconds, in.KeepSeconds = seconds(runFor+runMargin), seconds(runFor+keepFor)
	in.GiveUpAt, in.GraceSeconds = workflow.Now(ctx).Add(patience), d.place.grace()
	for _, p := range pursuits {
		in.Turns = append(in.Turns, contract.TurnRefOf(p.turn))
		p.handle, p.refusal = contract.Handle{TurnID: p.turn.ID(), Cluster: d.place.current}, ""
		d.council = d.council.Submitted(p.turn, domain.Handle{})
	}
	title := fmt.Sprintf("submit · %s", domain.Count(len(pursuits), "turn"))
	if len(pursuits) == 1 {
		title = summary("submit", pursuits[0].turn)
	}
	accepted, err := step.call(ctx, patience+safety, title, in).get(ctx)
	for _, p := range pursuits {
		p.accepted(accepted)
		if p.handle.Runner != "" {
			d.council = d.council.Submitted(p.turn, p.handle.Domain())
		}
	}
	return accepted, err
}

// summary returns the title of an activity or a timer. After the proposals it begins with the phase.
func summary(verb string, turn domain.Turn) string {
	const most = 350 // bytes; servers refuse summaries of over 400
	who, _ := domain.CutEncoded(inline(turn.Agent().ID()+" · "+turn.Agent().Role()), most)
	switch phase := turn.Phase(); phase.Kind {
	case domain.Propose:
	case domain.Synthesize:
		verb = fmt.Sprintf("%s · %s", phase.Kind, verb)
	case domain.PeerReview, domain.Revise:
		verb = fmt.Sprintf("%s · r%d · %s", phase.Kind, phase.Round, verb)
	}
	return fmt.Sprintf("%s · %s · attempt %d", verb, who, turn.Attempt())
}

// seconds rounds up: a turn must not end on Ray before its deadline here.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
