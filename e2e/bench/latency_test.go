//go:build integration

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	alone  = 20 // workflows that run one after the other in each repetition
	pauses = 10 // workflows that run with a pause before each of them
)

// measureLatency runs workflows one at a time. What one activity adds to a workflow is the yardstick for the
// time between the last answer and the caller's result.
func measureLatency(t *testing.T, r *report) {
	t.Helper()
	m, plain := newModel(t), workPlainly(t)
	_, queue := worker(t)
	var base, ours, end, activity series
	for range *repetitions {
		full := medianOf(t, plainly(plain, 1, three))
		base = append(base, full)
		activity = append(activity, full-medianOf(t, plainly(plain, three)))
		var ends series
		ours = append(ours, medianOf(t, func(ctx context.Context, id string) error {
			name := "instant/" + id
			if err := deliberate(queue, m.council(three, name))(ctx, id); err != nil {
				return err
			}
			ends = append(ends, milliseconds(time.Since(m.lastAnswer(name))))
			return nil
		}))
		end = append(end, ends.median())
	}
	pausedBase := pausedMedian(t, plainly(plain, 1, three))
	paused := pausedMedian(t, deliberate(queue, m.council(three, "instant")))
	times := ratios(ours, base)
	r.add(line{
		what: "p50, one at a time, ms", base: base, ours: ours, ratio: times, target: "≤ 1.3 × the no-op's", met: times.median() <= 1.3, short: shortStages,
		note: fmt.Sprintf("with a second between two of them, so that the limit doesn't bind: %s and %s ms", short(pausedBase), short(paused)),
	})
	r.add(line{what: "from the last answer to the caller's result, ms", base: activity, ours: end, target: "one activity's time, as in the first column", met: end.median() <= activity.median(), short: shortEnd})
	r.plot("latency", "p50, one at a time, ms", bar{"no-op workflow", base}, bar{"deliberation", ours})
}

// pausedMedian is the median time in milliseconds with a pause before each workflow. Temporal reads a shard's tasks 20
// times a second at most. The dev server has one shard, and the pause refills what a workflow used up.
func pausedMedian(t *testing.T, one func(context.Context, string) error) float64 {
	t.Helper()
	var took series
	for range pauses {
		time.Sleep(time.Second)
		took = append(took, milliseconds(run(t, 1, 1, one).took))
	}
	return took.median()
}

// medianOf runs workflows one after the other and returns their median time in milliseconds.
func medianOf(t *testing.T, one func(context.Context, string) error) float64 {
	t.Helper()
	var took series
	for range alone {
		took = append(took, milliseconds(run(t, 1, 1, one).took))
	}
	require.Len(t, took, alone)
	return took.median()
}
