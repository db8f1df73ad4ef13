package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// movesMost bounds how often a council moves: clusters that come and go in turn must not fill a history.
// Behind that it waits where it is.
const movesMost = 20

// movable tells that the council may be placed elsewhere. A run that had no choice when it was opened stays
// where it is, also one that was opened before there could be a choice.
func (d *deliberation) movable() bool { return len(d.opening.Clusters) > 0 && d.moves < movesMost }

// follows tells that an agent goes where the council is. Behind the last move it still does: others may
// have made that.
func (d *deliberation) follows() bool {
	return len(d.opening.Clusters) > 0
}

// grace is how long a cluster may be away before the council leaves it, in seconds; 0 = for ever.
func (d *deliberation) grace() int {
	if len(d.opening.Clusters) > 0 && d.moves >= movesMost {
		return 0
	}
	return d.opening.GraceSeconds
}

// leave places the council elsewhere because a cluster is gone. The first agent that hears of it decides
// for all: one deliberation lives on one runner. False when there is nowhere to go.
func (d *deliberation) leave(ctx workflow.Context, gone string) bool {
	if gone != d.cluster {
		return true // with another agent
	}
	if !d.movable() {
		return false
	}
	d.moves++
	encoded := workflow.SideEffect(ctx, func(workflow.Context) any { return placeAnew(d.environment, gone) })
	var chosen string
	if err := encoded.Get(&chosen); err == nil && chosen != "" {
		d.cluster = chosen
	}
	return d.cluster != gone
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

// elsewhere is the turn to go on with when an agent's cluster is gone. With nowhere to go that is its own, which
// is found again.
func (d *deliberation) elsewhere(ctx workflow.Context, w *work, attempt domain.Turn) domain.Turn {
	if !d.leave(ctx, w.handle.Cluster) {
		return w.turn
	}
	return d.here(w, attempt)
}

// here is the agent's turn where the council has just come to: the one that is there already, from an earlier
// stay, or else a new attempt.
func (d *deliberation) here(w *work, attempt domain.Turn) domain.Turn {
	for _, p := range w.adrift {
		if p.handle.Cluster == d.cluster {
			return p.turn
		}
	}
	return attempt
}

// byNow is the turn to go on with behind a delay, in which the council may have moved again: what the agent
// has where the council is now, and nothing that lives elsewhere.
func (d *deliberation) byNow(w *work, chosen domain.Turn) domain.Turn {
	if len(d.opening.Clusters) == 0 || w.ended { // it stays, or follows a turn that has failed
		return chosen
	}
	now := chosen
	for _, p := range w.running() {
		switch {
		case p.handle.Cluster == d.cluster:
			now = p.turn
		case p.turn.ID() == now.ID():
			now = w.another()
		}
	}
	return now
}

// moveAll places a council elsewhere that waits for room. Its turns become other attempts, since the
// cluster may have accepted them and not have been heard.
func (d *deliberation) moveAll(ctx workflow.Context) {
	if !d.leave(ctx, d.cluster) {
		return
	}
	for _, w := range d.work {
		d.next(w, d.here(w, w.another()))
	}
	d.showCouncil(ctx)
}

// abandon parts with what an agent has on clusters that the council has left, once its next attempt is
// accepted elsewhere: until then an answer from there would still count. It is stopped when they are back,
// and what it comes to doesn't count any more.
func (d *deliberation) abandon(w *work) {
	var here []placed
	for _, p := range w.adrift {
		if p.handle.Cluster == w.handle.Cluster {
			here = append(here, p)
			continue
		}
		d.abandoned = append(d.abandoned, p)
	}
	w.adrift = here
}

// stopAbandoned has what was abandoned stopped, each cluster by itself.
func (d *deliberation) stopAbandoned(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return d.unattended() != "" }) == nil {
		cluster := d.unattended()
		d.attended = append(d.attended, cluster)
		workflow.Go(ctx, func(ctx workflow.Context) { d.stopOn(ctx, cluster) })
	}
}

// unattended is a cluster with abandoned turns that nobody stops; empty when there is none.
func (d *deliberation) unattended() string {
	for _, p := range d.abandoned {
		if !slices.Contains(d.attended, p.handle.Cluster) {
			return p.handle.Cluster
		}
	}
	return ""
}

// stopOn stops the abandoned turns on one cluster, as it can be asked. Behind their own time they have ended.
func (d *deliberation) stopOn(ctx workflow.Context, cluster string) {
	within := d.request.Constraints().Timeout() + safety
	for batch := d.left(cluster); len(batch) > 0; batch = d.left(cluster) {
		stopped, err := stopWhenBack.call(ctx, within, titleOfLeft(batch), d.stopOf(batch)).get(ctx)
		if ctx.Err() != nil {
			return // the run's end stops them
		}
		if err != nil {
			workflow.GetLogger(ctx).Warn("turns on a cluster that was gone not seen to stop", "error", err)
			break
		}
		d.waste(ctx, batch, stopped)
		if len(d.left(cluster)) > 0 && workflow.Sleep(ctx, stopLeftAgain) != nil {
			return
		}
	}
	d.attended = slices.DeleteFunc(d.attended, func(other string) bool { return other == cluster })
	d.abandoned = slices.DeleteFunc(d.abandoned, func(p placed) bool { return p.handle.Cluster == cluster })
}

// left are the abandoned turns on a cluster.
func (d *deliberation) left(cluster string) []placed {
	return slices.DeleteFunc(slices.Clone(d.abandoned), func(p placed) bool { return p.handle.Cluster != cluster })
}

// stopLeft begins to stop what is still abandoned at the run's end; what it returns waits for that, not
// for long. A cluster that stays away ends the turns by their run_seconds, and a worker when it is back.
func (d *deliberation) stopLeft(ctx workflow.Context) (wait func()) {
	var waits []func()
	for d.attended = nil; d.unattended() != ""; {
		cluster := d.unattended()
		d.attended = append(d.attended, cluster)
		batch := d.left(cluster)
		stopping := StopTurns.call(ctx, leftWithin, titleOfLeft(batch), d.stopOf(batch))
		waits = append(waits, func() {
			stopped, err := stopping.get(ctx)
			if err != nil {
				workflow.GetLogger(ctx).Debug("turns on a cluster that is gone not stopped", "error", err)
			}
			d.waste(ctx, batch, stopped)
		})
	}
	return func() {
		for _, wait := range waits {
			wait()
		}
	}
}

func titleOfLeft(batch []placed) string {
	return fmt.Sprintf("stop · %s · left on %s", domain.Count(len(batch), "turn"), batch[0].handle.Cluster)
}

func (d *deliberation) stopOf(batch []placed) contract.StopTurnsInput {
	in := contract.StopTurnsInput{
		DeliberationID: d.key.WorkflowID, Reason: "placed elsewhere", Partly: true,
		AnswerBytes: 1, // only what they cost is of interest
	}
	for _, p := range batch {
		in.Stop = append(in.Stop, p.handle)
	}
	return in
}

// waste counts what abandoned turns cost that were seen to end.
func (d *deliberation) waste(ctx workflow.Context, batch []placed, stopped contract.StopTurnsResult) {
	for _, p := range batch {
		outcome, known := stopped.Outcomes[p.turn.ID()]
		if !known {
			continue
		}
		came := outcome.Domain()
		measureTurn(ctx, p.turn, p.handle.Cluster, came)
		d.council = d.council.Waste(came.Usage)
		if p.handle.Runner != "" && came.Kind != domain.OutcomeLost {
			d.forgettable = append(d.forgettable, p.handle)
		}
		d.abandoned = slices.DeleteFunc(d.abandoned, func(other placed) bool { return other.turn.ID() == p.turn.ID() })
	}
}

// stopLeftAgain is the pause before turns that weren't seen to end are asked for again.
const stopLeftAgain = 5 * time.Second
