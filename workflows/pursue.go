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

// work is what one agent has on Ray.
type work struct {
	turn     domain.Turn
	handle   contract.Handle
	away     string // why the turn's cluster didn't take it; empty when it did
	ended    bool   // nothing of the turn runs on Ray any more
	failures int
	losses   int
	buried   int         // attempts that had been stopped before they came
	tried    int         // the highest attempt before this one
	adrift   []placed    // earlier turns that nobody has seen to end
	finished []contract. // outcomes that are in history and may be forgotten on Ray
			Handle
}

// placed is a turn and where it lives.
type placed struct {
	turn   domain.Turn
	handle contract.Handle
}

// running is everything of the agent that may still run on Ray.
func (w *work) running() []placed {
	if w.ended || w.handle.Domain().IsZero() {
		return w.adrift
	}
	return append(slices.Clip(w.adrift), placed{w.turn, w.handle})
}

// another is an attempt that there hasn't been.
func (w *work) another() domain.Turn { return w.turn.Attempt(max(w.tried, w.turn.Number()) + 1) }

// pursue tries an agent's turn until it gives a proposal or may not be tried again.
func (d *deliberation) pursue(ctx workflow.Context, w *work) {
	for {
		outcome, err := d.await(ctx, w)
		if temporal.IsCanceledError(err) || ctx.Err() != nil {
			return // the run is ending: what became of the turn is the stop's to tell
		}
		if err != nil {
			d.failUnlessLate(ctx, w, err)
			return
		}
		d.take(ctx, w, placed{w.turn, w.handle}, outcome)
		if outcome.Kind == domain.OutcomeCompleted {
			d.announceAgent(ctx, w)
			return
		}
		if failure, over := d.council.Next(outcome, w.failures, w.losses); over {
			d.giveUp(ctx, w, failure)
			return
		}
		next := w.another().After(outcome.Failure.Kind())
		if outcome.Kind == domain.OutcomeUnreachable && d.follows() {
			next = d.elsewhere(ctx, w, next)
		}
		if !d.again(ctx, w, next) {
			return
		}
	}
}

// await waits for the agent's turn. One that Ray refused as stopped before it came, as after a reset of a
// run that had ended, costs nothing: the next attempt is other work.
func (d *deliberation) await(ctx workflow.Context, w *work) (domain.Outcome, error) {
	if w.away != "" {
		return domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: w.away}, nil
	}
	if w.handle.Runner == "" {
		return domain.Outcome{Kind: domain.OutcomeCancelled, Reason: "it had been stopped before it came"}, nil
	}
	in := contract.AwaitTurnInput{Handle: w.handle, AnswerBytes: d.opening.AnswerBytes, GraceSeconds: d.grace()}
	outcome, err := AwaitTurn.call(ctx, d.remaining(ctx)+safety, summary("poll", w.turn), in).get(ctx)
	return outcome.Domain(), err
}

// take notes what a turn came to.
func (d *deliberation) take(ctx workflow.Context, w *work, p placed, outcome domain.Outcome) {
	measureTurn(ctx, p.turn, p.handle.Cluster, outcome)
	w.ended = outcome.Kind != domain.OutcomeUnreachable && outcome.Kind != domain.OutcomeRunning
	if outcome.Kind == domain.OutcomeCompleted || outcome.Kind == domain.OutcomeFailed {
		w.finished = append(w.finished, p.handle)
	}
	switch outcome.Kind {
	case domain.OutcomeFailed:
		w.failures++
	case domain.OutcomeLost:
		w.losses++
	case domain.OutcomeCancelled:
		w.buried++
	case domain.OutcomeCompleted, domain.OutcomeUnreachable, domain.OutcomeRunning:
	}
	d.council = d.council.Complete(p.turn, outcome)
}

// again waits out the delay and puts the agent's next attempt to Ray. False when there is nothing more
// to wait for: the agent has failed, or the run is ending.
func (d *deliberation) again(ctx workflow.Context, w *work, next domain.Turn) bool {
	delay := workflow.TimerOptions{Summary: summary("retry", next)}
	if err := workflow.NewTimerWithOptions(ctx, next.RetryDelay(max(1, w.failures, w.buried)), delay).Get(ctx, nil); err != nil {
		return false
	}
	d.next(w, d.byNow(w, next))
	accepted, err := d.submit(ctx, submitAgain, []*work{w}, d.remaining(ctx), d.remaining(ctx))
	switch {
	case temporal.IsCanceledError(err):
		return false
	case err != nil:
		d.failUnlessLate(ctx, w, err)
		return false
	}
	if accepted.Refusal == "" {
		d.abandon(w)
	}
	d.showCouncil(ctx)
	return accepted.Refusal == "" || accepted.Elsewhere
}

// next makes another attempt the agent's turn; what may still run of the others is kept in mind.
func (d *deliberation) next(w *work, turn domain.Turn) {
	if turn.ID() == w.turn.ID() {
		return
	}
	w.tried = max(w.tried, w.turn.Number())
	w.adrift = slices.DeleteFunc(slices.Clone(w.running()), func(p placed) bool { return p.turn.ID() == turn.ID() })
	w.turn, w.handle, w.ended = turn, contract.Handle{}, false
	d.council = d.council.Submit(turn, domain.Handle{})
}

// failUnlessLate gives an agent up whose activity came to nothing. Where no worker ran beyond the deadline, it is
// heard of together with that: then the agent is one that the deadline ends, and what Ray has of it counts.
func (d *deliberation) failUnlessLate(ctx workflow.Context, w *work, err error) {
	if d.late() {
		return
	}
	d.giveUp(ctx, w, failureOf(err))
}

func (d *deliberation) giveUp(ctx workflow.Context, w *work, failure domain.TurnFailure) {
	d.council = d.council.Fail(w.turn, failure)
	d.announceAgent(ctx, w)
}

// submit puts turns to Ray together and notes where they live.
func (d *deliberation) submit(ctx workflow.Context, step Step[contract.SubmitTurnsInput, contract.SubmitTurnsResult], turns []*work, patience, run time.Duration) (contract.SubmitTurnsResult, error) {
	in := contract.SubmitTurnsInput{
		DeliberationID: d.key.WorkflowID, OriginalRunID: d.key.OriginalRunID,
		Cluster: d.cluster, RunSeconds: seconds(run + runMargin), KeepSeconds: seconds(run + keepFor),
		GiveUpAt: workflow.Now(ctx).Add(patience), GraceSeconds: d.grace(),
	}
	if !d.submitted {
		in.Request, d.submitted = d.opening.Request, true
	}
	for _, w := range turns {
		in.Turns = append(in.Turns, contract.TurnRef{
			AgentID: w.turn.Agent().ID(), Attempt: w.turn.Number(), Hint: w.turn.Hint(), TurnID: w.turn.ID(),
		})
		w.handle, w.away = contract.Handle{TurnID: w.turn.ID(), Cluster: d.cluster}, ""
	}
	title := fmt.Sprintf("submit · %s", domain.Count(len(turns), "turn"))
	if len(turns) == 1 {
		title = summary("submit", turns[0].turn)
	}
	accepted, err := step.call(ctx, patience+safety, title, in).get(ctx)
	if accepted.Elsewhere {
		for _, w := range turns {
			w.away = accepted.Refusal
		}
	}
	for _, handle := range accepted.Handles {
		for _, w := range turns {
			if w.turn.ID() == handle.TurnID {
				w.handle = handle
				d.council = d.council.Submit(w.turn, handle.Domain())
			}
		}
	}
	return accepted, err
}

func summary(verb string, turn domain.Turn) string {
	const most = 350 // bytes; servers refuse summaries of over 400
	who, _ := domain.CutEncoded(turn.Agent().ID()+" · "+turn.Agent().Role(), most)
	return fmt.Sprintf("%s · %s · attempt %d", verb, who, turn.Number())
}

// seconds rounds up: a turn must not end on Ray before its deadline here.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
