package workflows

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// pursuit is one assignment on its way: what of it lives on Ray.
type pursuit struct {
	turn        domain.Turn
	handle      contract.Handle
	refusal     string   // why the turn's cluster didn't take it; empty when it did
	stopped     bool     // nothing of the turn runs on Ray any more
	unconfirmed []placed // earlier turns that nobody has seen to end
}

// placed is a turn and where it lives.
type placed struct {
	turn   domain.Turn
	handle contract.Handle
}

// running is everything of the assignment that may still run on Ray.
func (p *pursuit) running() []placed {
	if p.stopped || p.handle.TurnID == "" {
		return p.unconfirmed
	}
	return append(slices.Clip(p.unconfirmed), placed{p.turn, p.handle})
}

// replace makes another attempt the pursuit's turn, and keeps in mind what may still run of the others.
func (p *pursuit) replace(turn domain.Turn) {
	if turn.ID() == p.turn.ID() {
		return
	}
	p.unconfirmed = p.running()
	p.turn, p.handle, p.stopped = turn, contract.Handle{}, false
}

// accepted notes what Ray answered about the turn.
func (p *pursuit) accepted(answer contract.SubmitTurnsResult) {
	if answer.Elsewhere {
		p.refusal = answer.Refusal
	}
	for _, handle := range answer.Handles {
		if handle.TurnID == p.turn.ID() {
			p.handle = handle
		}
	}
}

// pursue tries an assignment again until the council has what it asked for, or gives it up.
func (d *deliberation) pursue(ctx workflow.Context, p *pursuit) {
	for {
		outcome, known := d.await(ctx, p)
		if !known {
			return // the run or the phase is ending: the stop says what the turn resulted in
		}
		decision := d.take(ctx, placed{p.turn, p.handle}, outcome)
		p.stopped = ended(outcome)
		if decision.Kind == domain.DecisionSettled || decision.Kind == domain.DecisionGivenUp {
			d.announceAgent(ctx, p.turn)
			return
		}
		if !d.tryAgain(ctx, p, decision) {
			return
		}
	}
}

// await waits for the pursuit's turn. A turn that Ray refused as stopped before it came, as after a reset of a
// run that had ended, costs nothing: the next attempt is other work.
func (d *deliberation) await(ctx workflow.Context, p *pursuit) (outcome domain.Outcome, known bool) {
	if p.refusal != "" {
		return domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: p.refusal}, true
	}
	if p.handle.Runner == "" {
		return domain.Outcome{Kind: domain.OutcomeCancelled, Reason: "it had been stopped before it came"}, true
	}
	in := contract.AwaitTurnInput{Handle: p.handle, AnswerBytes: d.opening.AnswerBytes, GraceSeconds: d.place.grace()}
	answer, err := AwaitTurn.call(ctx, d.clock.remaining(ctx)+safety, summary("poll", p.turn), in).get(ctx)
	if err != nil {
		return d.gaveUp(ctx, err)
	}
	return answer.Domain(), ctx.Err() == nil
}

// gaveUp is the outcome of a turn whose activity failed. If the deadline has passed too (no worker ran in
// between, so that both arrive together), the deadline decides.
func (d *deliberation) gaveUp(ctx workflow.Context, err error) (outcome domain.Outcome, known bool) {
	if temporal.IsCanceledError(err) || ctx.Err() != nil || d.clock.late {
		return domain.Outcome{}, false
	}
	return domain.GivenUp(contract.FailureOf(err)), true
}

// take enters what a turn resulted in into the council's ledger.
func (d *deliberation) take(ctx workflow.Context, p placed, outcome domain.Outcome) domain.Decision {
	if outcome.Kind != domain.OutcomeGivenUp {
		measureTurn(ctx, p.turn, p.handle.Cluster, outcome)
	}
	if outcome.Kind == domain.OutcomeCompleted || outcome.Kind == domain.OutcomeFailed {
		d.forget = append(d.forget, p.handle)
	}
	council, decision := d.council.Take(p.turn, outcome)
	d.council = council
	return decision
}

// ended reports whether nothing of the turn runs on Ray after such an outcome.
func ended(outcome domain.Outcome) bool {
	switch outcome.Kind {
	case domain.OutcomeCompleted, domain.OutcomeFailed, domain.OutcomeLost, domain.OutcomeCancelled:
		return true
	case domain.OutcomeUnreachable, domain.OutcomeRunning, domain.OutcomeGivenUp:
	}
	return false
}

// tryAgain waits out the delay and puts the assignment's next turn to Ray. It returns false when there is
// nothing more to wait for.
func (d *deliberation) tryAgain(ctx workflow.Context, p *pursuit, decision domain.Decision) bool {
	if decision.Kind == domain.DecisionUnreachable {
		d.place.leave(ctx, p.handle.Cluster)
	}
	delay := workflow.TimerOptions{Summary: summary("retry", decision.Next)}
	if err := workflow.NewTimerWithOptions(ctx, decision.After, delay).Get(ctx, nil); err != nil {
		return false
	}
	// Chosen after the delay, in which the council may have moved: a turn that may still run elsewhere
	// must not run here too.
	if decision.Kind != domain.DecisionUnreachable || p.handle.Cluster != d.place.current {
		p.replace(decision.Next)
	}
	accepted, err := d.submit(ctx, submitLater, []*pursuit{p}, d.clock.remaining(ctx), nil)
	if err != nil {
		if outcome, known := d.gaveUp(ctx, err); known {
			d.take(ctx, placed{p.turn, p.handle}, outcome)
			d.announceAgent(ctx, p.turn)
		}
		return false
	}
	if accepted.Refusal == "" {
		d.place.abandon(p)
	}
	d.showCouncil(ctx)
	return accepted.Refusal == "" || accepted.Elsewhere
}
