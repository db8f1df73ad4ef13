//go:build integration

package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/workflows/contract"
)

const (
	councilsInFlight = 79 // of the largest size: 5,056 turns
	turnTime         = 30 * time.Second
)

// measureFlight has 5,056 turns of 30 s in flight on one worker, once.
func measureFlight(t *testing.T, r *report) {
	t.Helper()
	m := newModel(t)
	w, queue := worker(t)
	run(t, 10, 10, deliberate(queue, m.council(three, "instant")))
	parts := processesOf(t, w)
	var worker, app float64
	watching := everySecond(func() {
		worker = max(worker, parts.megabytes("worker"))
		app = max(app, parts.megabytes("runner")+parts.megabytes("gateway"))
	})
	began := time.Now()
	runs := beginAll(t, queue, councilsInFlight, m.council(largest, modelNames("after-30s", 16)...))
	var times series
	failures := 0
	for _, each := range runs {
		var result contract.Result
		require.NoError(t, each.Get(t.Context(), &result))
		failures += result.FailedAgents
		times = append(times, outcomeTimes(t, each)...)
	}
	whole := time.Since(began).Seconds()
	watching()
	ours := series{times.at(0.99)}
	factor := ours.median() / turnTime.Seconds()
	r.add(line{
		second: true, what: "5,056 turns of 30 s in flight, one worker: acceptance → outcome in history, s", against: "the turn's own time (once a run)",
		base: series{turnTime.Seconds()}, ours: ours, ratio: series{factor}, target: "≤ 2 ×; no error", met: factor <= 2 && failures == 0, short: shortWaits,
		note: fmt.Sprintf("p50 %s s, p99 as shown, the last %s s; all ended after %.0f s; %d failures", short(times.median()), short(times.at(1)), whole, failures),
	})
	r.add(line{second: true, what: "meanwhile the worker's memory, MB", against: "–", ours: series{worker}, target: "≤ 400", met: worker <= 400, short: shortMemory})
	r.add(line{second: true, what: "meanwhile the Ray app's memory (gateway and runners), MB", against: "–", ours: series{app}, target: "≤ 1,024", met: app <= 1024, short: shortMemory})
}

// everySecond looks again and again until it is told to stop.
func everySecond(look func()) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			look()
			select {
			case <-tick.C:
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}
