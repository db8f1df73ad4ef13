//go:build integration

package bench

import (
	"context"
	"testing"

	"deliberation.io/deliberation/e2e/stack"
)

// measureDouble compares one worker and one Ray app with two of each, if the stack has a second Ray. On one machine
// it can't show more throughput: it shows whether a deliberation costs more when there are more parts.
func measureDouble(t *testing.T, r *report) {
	t.Helper()
	if !stack.HasSecondRay() {
		t.Log("left out: the stack has one Ray; make scaling starts two")
		return
	}
	m := newModel(t)
	councils := m.council(three, "instant")
	one, oneQueue := worker(t)
	both := "DELIBERATION_RAY_CLUSTERS=one=" + stack.At.RayAppURL + ",two=" + stack.At.Ray2AppURL
	first, firstQueue := worker(t, both)
	second := stack.StartWorker(t, firstQueue, both, "DELIBERATION_LOG_LEVEL=WARN")
	temporal := stack.ProgramProcess(t, "temporal")
	alone, pair := processes{"worker": {one.PID()}, "temporal": {temporal}}, processes{"worker": {first.PID(), second.PID()}, "temporal": {temporal}}
	run(t, atOnce, atOnce, deliberate(oneQueue, councils)) // warm up
	run(t, atOnce, atOnce, deliberate(firstQueue, councils))

	var base, ours, baseWorker, oursWorker, baseTemporal, oursTemporal series
	for range *repetitions {
		did, spent := alone.during(t, crowd, deliberate(oneQueue, councils))
		base, baseWorker, baseTemporal = append(base, did.perSecond()), append(baseWorker, did.each(spent["worker"])), append(baseTemporal, did.each(spent["temporal"]))
		did, spent = pair.during(t, crowd, deliberate(firstQueue, councils))
		ours, oursWorker, oursTemporal = append(ours, did.perSecond()), append(oursWorker, did.each(spent["worker"])), append(oursTemporal, did.each(spent["temporal"]))
	}
	share, workerCost, temporalCost := ratios(ours, base), ratios(oursWorker, baseWorker), ratios(oursTemporal, baseTemporal)
	const against = "one worker, one Ray app"
	r.add(line{second: true, what: "two workers, two Ray apps: deliberations/s, 50 at a time", against: against, base: base, ours: ours, ratio: share, target: "≥ 0.9 ×", met: share.median() >= 0.9, short: shortThroughput})
	r.add(line{second: true, what: "the same: CPU of the workers a deliberation, ms", against: against, base: baseWorker, ours: oursWorker, ratio: workerCost, target: "≤ 1.25 ×", met: workerCost.median() <= 1.25, short: shortWorker})
	r.add(line{second: true, what: "the same: CPU of Temporal a deliberation, ms", against: against, base: baseTemporal, ours: oursTemporal, ratio: temporalCost, target: "≤ 1.25 ×", met: temporalCost.median() <= 1.25, short: shortWork})
}

// during runs workflows and returns the processor time that the processes spent meanwhile.
func (p processes) during(t *testing.T, count int, one func(context.Context, string) error) (load, seconds) {
	t.Helper()
	before := p.seconds(t)
	did := run(t, count, atOnce, one)
	return did, p.seconds(t).since(before)
}
