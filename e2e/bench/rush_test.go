//go:build integration

package bench

import (
	"fmt"
	"testing"
)

const rushed = 2000

// measureRush starts 2,000 workflows at once, once: those that do nothing, then deliberations of one agent.
func measureRush(t *testing.T, r *report) {
	m, plain := newModel(t), workPlainly(t)
	w, queue := worker(t)
	run(t, 10, 10, deliberate(queue, m.council(1, "instant")))
	parts := processesOf(t, w)
	calls := m.calls.Load()
	base := run(t, rushed, rushed, plainly(plain, 1, 1))
	ours := run(t, rushed, rushed, deliberate(queue, m.council(1, "instant")))
	calls = m.calls.Load() - calls
	factor := series{ours.took.Seconds() / base.took.Seconds()}
	r.add(line{second: true, what: "2,000 started at once, s until all have ended", against: "the no-op (once a run)", base: series{base.took.Seconds()}, ours: series{ours.took.Seconds()},
		ratio: factor, target: "≤ 2 ×, one call each", met: factor.median() <= 2 && calls == rushed, short: shortThroughput,
		note: fmt.Sprintf("%d calls; then the worker holds %.0f MB, the runners %.0f MB", calls, parts.megabytes("worker"), parts.megabytes("runner"))})
	r.plot("rush", "2,000 at once: s until all have ended", bar{"no-op workflow", series{base.took.Seconds()}}, bar{"deliberation of one agent", series{ours.took.Seconds()}})
}
