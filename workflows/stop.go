package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// stopRest stops everything that may still run on Ray, also for assignments that were given up. Turns that had
// completed before the stop still count.
func (d *deliberation) stopRest(ctx workflow.Context, why endReason) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if why.early() {
		d.showPhase(ctx, phaseStopping)
	}
	abandoned := d.startStoppingAbandoned(ctx)
	d.stop(ctx, d.work, why)
	for _, stopping := range abandoned {
		_ = d.takeAbandoned(ctx, stopping) // the log has the error, and run_seconds ends the turns
	}
	d.giveUp(ctx, failureFor(why))
}

// stop stops all turns of the pursuits that may still run, and takes the outcomes.
func (d *deliberation) stop(ctx workflow.Context, pursuits []*pursuit, why endReason) {
	in := contract.StopTurnsInput{DeliberationID: d.run.key.WorkflowID, Reason: string(why)}
	in.AnswerBytes = domain.AnswerMaximum(1)
	readings := map[domain.TurnID]contract.Reading{}
	for _, p := range pursuits {
		for _, turn := range p.running() {
			in.Turns = append(in.Turns, turn.handle)
			in.AnswerBytes = min(in.AnswerBytes, d.request().AnswerMaximum(p.turn.Phase().Kind))
			if reading := contract.ReadingOf(d.request(), turn.turn); reading != nil {
				readings[turn.turn.ID()] = *reading
			}
		}
	}
	if len(in.Turns) == 0 {
		return
	}
	in.Readings = readings
	in.AnswerBytes = min(in.AnswerBytes, domain.AnswerMaximum(len(in.Turns)))
	title := fmt.Sprintf("stop · %s · %s", domain.Count(len(in.Turns), "turn"), why)
	stopped, err := StopTurns.call(ctx, stopWithin, title, in).get(ctx)
	if err != nil {
		workflow.GetLogger(ctx).Warn("turns not seen to stop; run_seconds ends them on Ray", "error", err)
	}
	for _, p := range pursuits {
		d.takeStopped(ctx, p, stopped)
	}
}

func (d *deliberation) takeStopped(ctx workflow.Context, p *pursuit, stopped contract.StopTurnsResult) {
	for _, turn := range p.running() {
		answer, known := stopped.Outcomes[turn.turn.ID()]
		if !known {
			continue
		}
		outcome := answer.Domain()
		d.take(ctx, turn, outcome)
		p.confirm(turn.turn.ID(), outcome.Ended())
	}
}

// confirm records that a turn was seen to end, if it was.
func (p *pursuit) confirm(id domain.TurnID, ended bool) {
	switch {
	case !ended:
	case id == p.turn.ID():
		p.stopped = true
	default:
		p.unconfirmed = slices.DeleteFunc(p.unconfirmed, func(turn placed) bool { return turn.turn.ID() == id })
	}
}

// failureFor returns the failure of agents that weren't done when the run ended.
func failureFor(why endReason) domain.TurnFailure {
	switch why {
	case endCancelled:
		return domain.NewTurnFailure(domain.Cancelled, "the deliberation was cancelled", false)
	case endQueue:
		return domain.NewTurnFailure(domain.DeadlineExceeded, "no room on Ray in time", false)
	case endPatience:
		return domain.NewTurnFailure(domain.StillRunning, "not finished when the council went on", false)
	case endStopped:
		return domain.NewTurnFailure(domain.StillRunning, "not finished when the deliberation was stopped", false)
	case endDeadline, endDecided:
	}
	return domain.NewTurnFailure(domain.StillRunning, "not finished by the deadline", false)
}

// stopAbandoned stops abandoned turns while the run lasts, each cluster separately.
func (d *deliberation) stopAbandoned(ctx workflow.Context) {
	for workflow.Await(ctx, func() bool { return d.place.unattended() != "" }) == nil {
		cluster := d.place.unattended()
		d.place.stopping = append(d.place.stopping, cluster)
		workflow.Go(ctx, func(ctx workflow.Context) { d.stopOn(ctx, cluster) })
	}
}

// stopOn stops the abandoned turns on one cluster once it answers. It gives up when the turns' run_seconds must
// have ended them.
func (d *deliberation) stopOn(ctx workflow.Context, cluster string) {
	const pause = 5 * time.Second // before turns that weren't seen to end are stopped again
	within := d.request().Constraints().Timeout() + safety
	for turns := d.place.on(cluster); len(turns) > 0; turns = d.place.on(cluster) {
		stopping := d.startStopping(ctx, stopAbandoned, within, turns)
		err := d.takeAbandoned(ctx, stopping)
		if ctx.Err() != nil {
			return // stopRest stops them
		}
		if err != nil {
			break
		}
		if len(d.place.on(cluster)) > 0 && workflow.Sleep(ctx, pause) != nil {
			return
		}
	}
	d.place.forgetCluster(cluster)
}

// startStoppingAbandoned starts to stop the abandoned turns at the run's end. If their cluster stays away, a worker's
// sweep stops them when it is back, or their run_seconds end them.
func (d *deliberation) startStoppingAbandoned(ctx workflow.Context) []stopping {
	var started []stopping
	d.place.stopping = nil
	for cluster := d.place.unattended(); cluster != ""; cluster = d.place.unattended() {
		d.place.stopping = append(d.place.stopping, cluster)
		started = append(started, d.startStopping(ctx, StopTurns, abandonedWithin, d.place.on(cluster)))
	}
	return started
}

// stopping is a stop of abandoned turns that was started.
type stopping struct {
	turns  []placed
	answer pending[contract.StopTurnsResult]
}

func (d *deliberation) startStopping(ctx workflow.Context, step Step[contract.StopTurnsInput, contract.StopTurnsResult], within time.Duration, turns []placed) stopping {
	in := contract.StopTurnsInput{DeliberationID: d.run.key.WorkflowID, Reason: "placed elsewhere", AllowPartial: true}
	for _, turn := range turns {
		in.Turns = append(in.Turns, turn.handle)
	}
	title := fmt.Sprintf("stop · %s · left on %s", domain.Count(len(turns), "turn"), turns[0].handle.Cluster)
	return stopping{turns: turns, answer: step.call(ctx, within, title, in)}
}

// takeAbandoned adds the cost of the abandoned turns that were seen to end. Their answers don't count.
func (d *deliberation) takeAbandoned(ctx workflow.Context, s stopping) error {
	stopped, err := s.answer.get(ctx)
	if err != nil {
		workflow.GetLogger(ctx).Debug("turns on a cluster that was left not seen to stop", "error", err)
	}
	for _, turn := range s.turns {
		answer, known := stopped.Outcomes[turn.turn.ID()]
		if !known || !d.place.isAbandoned(turn.turn.ID()) { // another stop has taken it
			continue
		}
		outcome := answer.Domain()
		measureTurn(ctx, turn.turn, turn.handle.Cluster, outcome)
		d.council = d.council.Waste(turn.turn, outcome.Usage)
		if turn.handle.Runner != "" && outcome.Kind != domain.OutcomeLost {
			d.forget = append(d.forget, turn.handle)
		}
		d.place.forgetTurn(turn.turn.ID())
	}
	return err
}
