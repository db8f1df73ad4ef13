package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
)

// leave places the council elsewhere because a cluster is gone. The first agent that hears of it decides
// for all: one deliberation lives on one runner. A run that had no choice when it was opened stays where
// it is, also one that was opened before there could be a choice.
func (d *deliberation) leave(ctx workflow.Context, gone string) {
	if len(d.opening.Clusters) == 0 || gone != d.cluster {
		return
	}
	encoded := workflow.SideEffect(ctx, func(workflow.Context) any { return placeAnew(d.environment, gone) })
	var chosen string
	if err := encoded.Get(&chosen); err == nil && chosen != "" {
		d.cluster = chosen
	}
}

// placeAnew reads what is in memory. It is empty when that can't be read: then the council stays.
func placeAnew(environment domain.Environment, gone string) (chosen string) {
	defer func() {
		if recover() != nil {
			chosen = ""
		}
	}()
	return domain.Place(environment.Settings().Clusters, gone)
}

// moveAll places a council elsewhere that waits for room. Its turns become other attempts, since the
// cluster may have accepted them and not have been heard.
func (d *deliberation) moveAll(ctx workflow.Context) {
	before := d.cluster
	d.leave(ctx, before)
	if d.cluster == before {
		return
	}
	for _, w := range d.work {
		d.next(w, w.turn.Attempt(w.turn.Number()+1))
	}
	d.showCouncil(ctx)
}

// abandon parts with what an agent has on clusters that the council has left: it is stopped when they
// are back, and what it comes to doesn't count.
func (d *deliberation) abandon(w *work) {
	var here []placed
	for _, p := range w.adrift {
		if p.handle.Cluster == d.cluster {
			here = append(here, p)
			continue
		}
		d.abandoned = append(d.abandoned, p)
	}
	w.adrift = here
}

// stopAbandoned ends what was abandoned, one batch after another.
func (d *deliberation) stopAbandoned(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return len(d.abandoned) > 0 }) == nil {
		batch := d.abandoned
		// Behind that the turns have ended by their own run_seconds.
		within := d.request.Constraints().Timeout() + safety
		stopped, err := stopWhenBack.call(ctx, within, d.titleOfLeft(batch), d.stopOf(batch, true)).get(ctx)
		if ctx.Err() != nil {
			return // the run's end stops them
		}
		if err != nil {
			workflow.GetLogger(ctx).Warn("turns on a cluster that was gone not seen to stop", "error", err)
		}
		d.abandoned = d.abandoned[len(batch):]
		d.waste(ctx, batch, stopped)
	}
}

// stopLeft begins to stop what is still abandoned at the run's end; what it returns waits for that, not
// for long. A cluster that stays away ends the turns by their run_seconds, and a worker when it is back.
func (d *deliberation) stopLeft(ctx workflow.Context) (wait func()) {
	batch := d.abandoned
	if len(batch) == 0 {
		return func() {}
	}
	stopping := StopTurns.call(ctx, leftWithin, d.titleOfLeft(batch), d.stopOf(batch, false))
	return func() {
		stopped, err := stopping.get(ctx)
		if err != nil {
			workflow.GetLogger(ctx).Debug("turns on a cluster that is gone not stopped", "error", err)
		}
		d.waste(ctx, batch, stopped)
	}
}

func (d *deliberation) titleOfLeft(batch []placed) string {
	return fmt.Sprintf("stop · %s · left on %s", domain.Count(len(batch), "turn"), batch[0].handle.Cluster)
}

func (d *deliberation) stopOf(batch []placed, untilSeen bool) StopTurnsInput {
	in := StopTurnsInput{
		DeliberationID: d.key.WorkflowID, Reason: "placed elsewhere", UntilSeen: untilSeen,
		AnswerBytes: 1, // only what they cost is of interest
	}
	for _, p := range batch {
		in.Stop = append(in.Stop, p.handle)
	}
	return in
}

// waste counts what abandoned turns cost.
func (d *deliberation) waste(ctx workflow.Context, batch []placed, stopped StopTurnsResult) {
	for _, p := range batch {
		if outcome, known := stopped.Outcomes[p.turn.ID()]; known {
			came := outcome.Domain()
			measureTurn(ctx, p.turn, p.handle.Cluster, came)
			d.council = d.council.Waste(came.Usage)
			d.forgettable = append(d.forgettable, p.handle)
		}
	}
}
