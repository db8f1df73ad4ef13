package workflows

import (
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// pursuit is an assignment that is being worked on: its current turn, and earlier turns that may still run on Ray.
type pursuit struct {
	turn        domain.Turn
	handle      contract.Handle
	refusal     string   // why the cluster didn't accept the turn; empty if it did
	stopped     bool     // the turn no longer runs on Ray
	unconfirmed []placed // earlier turns that may still run on Ray
}

// placed is a turn and where it lives.
type placed struct {
	turn   domain.Turn
	handle contract.Handle
}

// running returns all turns of the assignment that may still run on Ray.
func (p *pursuit) running() []placed {
	if p.stopped || p.handle.TurnID == "" {
		return slices.Clone(p.unconfirmed) // callers change unconfirmed while they walk the result
	}
	return append(slices.Clip(p.unconfirmed), placed{p.turn, p.handle})
}

// replace makes another attempt the current turn, and remembers the earlier turns that may still run.
func (p *pursuit) replace(turn domain.Turn) {
	if turn.ID() == p.turn.ID() {
		return
	}
	p.unconfirmed = p.running()
	p.turn, p.handle, p.stopped = turn, contract.Handle{}, false
}

// accepted records what Ray answered about the turn.
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

// pursue tries an assignment until it is settled: completed or given up. Thousands of turns may wait in it, so pursue
// and await have few variables: a stack that is used to more than a quarter never becomes smaller (see ADR 10).
func (d *deliberation) pursue(ctx workflow.Context, p *pursuit) {
	for {
		outcome := d.await(ctx, p)
		if outcome == nil || !d.goOn(ctx, p, outcome) {
			return
		}
	}
}

// goOn takes the outcome and reports whether there is another turn to wait for.
func (d *deliberation) goOn(ctx workflow.Context, p *pursuit, outcome *domain.Outcome) bool {
	decision := d.take(ctx, placed{p.turn, p.handle}, *outcome)
	p.stopped = outcome.Ended()
	settled := decision.Kind == domain.DecisionSettled || decision.Kind == domain.DecisionGivenUp
	return !settled && ctx.Err() == nil && d.tryAgain(ctx, p, decision)
}

// await waits for the pursuit's turn. It returns nil if the run or the phase is ending, whose stop then returns the
// turn's outcome. Ray may refuse a turn because it was stopped before it was submitted, for example after the reset of
// a run that had ended. That costs nothing: the next attempt has another id.
func (d *deliberation) await(ctx workflow.Context, p *pursuit) *domain.Outcome {
	if p.refusal != "" {
		return &domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: p.refusal}
	}
	if p.handle.Runner == "" {
		return &domain.Outcome{Kind: domain.OutcomeCancelled, Reason: "it had been stopped before it came"}
	}
	answer := new(contract.TurnOutcome)
	return d.heard(ctx, answer, d.poll(ctx, p).future.Get(ctx, answer))
}

// poll starts the wait for the pursuit's turn.
func (d *deliberation) poll(ctx workflow.Context, p *pursuit) pending[contract.TurnOutcome] {
	return AwaitTurn.call(ctx, d.clock.remaining(ctx)+safety, summary("poll", p.turn), contract.AwaitTurnInput{
		Handle: p.handle, Reading: contract.ReadingOf(d.request(), p.turn),
		AnswerBytes: d.request().AnswerMaximum(p.turn.Phase().Kind), GraceSeconds: d.place.grace(),
	})
}

// heard returns the outcome that the wait has brought.
func (d *deliberation) heard(ctx workflow.Context, answer *contract.TurnOutcome, err error) *domain.Outcome {
	outcome := answer.Domain()
	if err != nil {
		given, known := d.gaveUp(ctx, err)
		if !known {
			return nil
		}
		return &given
	}
	if ctx.Err() != nil && !outcome.Ended() { // one that ended while the run or the phase ends was paid for, so it counts
		return nil
	}
	return &outcome
}

// gaveUp returns the outcome of a turn whose activity failed. If no worker ran for a while, the failure and the
// deadline arrive together; then the deadline decides.
func (d *deliberation) gaveUp(ctx workflow.Context, err error) (outcome domain.Outcome, known bool) {
	if temporal.IsCanceledError(err) || ctx.Err() != nil || d.clock.late {
		return domain.Outcome{}, false
	}
	return domain.GivenUp(contract.FailureOf(err)), true
}

// take enters a turn's outcome into the council's ledger. If that ends the agent's part in the phase, take announces
// it. A wait and a stop may both bring the same outcome; only the first one is announced.
func (d *deliberation) take(ctx workflow.Context, p placed, outcome domain.Outcome) domain.Decision {
	if outcome.Kind != domain.OutcomeGivenUp {
		measureTurn(ctx, p.turn, p.handle.Cluster, outcome)
	}
	if outcome.Kind == domain.OutcomeCompleted || outcome.Kind == domain.OutcomeFailed {
		d.forget = append(d.forget, p.handle)
	}
	had, done := d.council.Has(p.turn), d.council.Done(p.turn)
	council, decision := d.council.Take(p.turn, outcome)
	d.council = council
	if had != d.council.Has(p.turn) || done != d.council.Done(p.turn) {
		d.announceAgent(ctx, p.turn)
	}
	return decision
}

// tryAgain waits for the delay and submits the assignment's next turn. It reports whether there is a turn to
// wait for.
func (d *deliberation) tryAgain(ctx workflow.Context, p *pursuit, decision domain.Decision) bool {
	if decision.Kind == domain.DecisionUnreachable {
		d.place.leave(ctx, p.handle.Cluster)
	}
	delay := workflow.TimerOptions{Summary: summary("retry", decision.Next)}
	if err := workflow.NewTimerWithOptions(ctx, decision.After, delay).Get(ctx, nil); err != nil {
		return false
	}
	// This is decided after the delay, since the council may have moved meanwhile. A turn that may still run on
	// one cluster must not be submitted to another one.
	if decision.Kind != domain.DecisionUnreachable || p.handle.Cluster != d.place.current {
		p.replace(decision.Next)
	}
	again := contract.SubmitTurnsInput{Repeated: p.handle.TurnID == p.turn.ID()}
	accepted, err := d.submit(ctx, submitLater, []*pursuit{p}, d.clock.remaining(ctx), again)
	if err != nil {
		if outcome, known := d.gaveUp(ctx, err); known {
			d.take(ctx, placed{p.turn, p.handle}, outcome)
		}
		return false
	}
	if accepted.Refusal == "" {
		d.place.abandon(p)
	}
	d.showCouncil(ctx)
	return accepted.Refusal == "" || accepted.Elsewhere
}
