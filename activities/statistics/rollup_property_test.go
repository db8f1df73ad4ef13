package statistics_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/workflows/contract"
)

// lateVisibility learns of ends late, repeats pages, and forgets old runs.
type lateVisibility struct {
	*fakeVisibility
	unseen  map[*workflowpb.WorkflowExecutionInfo]end // that visibility doesn't know yet
	repeats bool
	last    *workflowservice.ListWorkflowExecutionsResponse
}

type end struct {
	status  string
	closed  time.Time
	visible time.Time
}

func (l *lateVisibility) ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if again := l.last; l.repeats && again != nil && len(in.GetNextPageToken()) > 0 {
		l.last = nil
		return again, nil
	}
	page, err := l.fakeVisibility.ListWorkflow(ctx, in)
	l.last = page
	return page, err
}

// learn makes the ends visible that are due.
func (l *lateVisibility) learn() {
	for run, end := range l.unseen {
		if end.visible.After(time.Now()) {
			continue
		}
		ends(run, end.status, 0)
		run.CloseTime.Seconds = end.closed.Unix()
		run.CloseTime.Nanos = int32(end.closed.Nanosecond())
		delete(l.unseen, run)
	}
}

// truth counts what really happened.
type truth struct {
	started int64
	ended   map[string]int64
	reset   int64
	took    []time.Duration // by completed runs
}

func TestRollUp_AgreesWithTheTruthInEveryOrderOfArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(bubbled{t}, func(rt *rapid.T) {
			h := &happening{
				rt: rt, t: t, truth: truth{ended: map[string]int64{}},
				visibility: &lateVisibility{
					fakeVisibility: &fakeVisibility{page: rapid.IntRange(1, 4).Draw(rt, "page"), reset: map[string]bool{}},
					unseen:         map[*workflowpb.WorkflowExecutionInfo]end{},
					repeats:        rapid.Bool().Draw(rt, "pages are repeated"),
				},
			}
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				rapid.SampledFrom([]func(){h.start, h.start, h.end, h.end, h.wait, h.count, h.count, h.retention}).Draw(rt, "step")()
			}
			time.Sleep(5 * time.Minute)
			h.count()
			h.compare()
		})
	})
}

// bubbled hides the test's deadline, which is in real time.
type bubbled struct{ testing.TB }

type happening struct {
	rt         *rapid.T
	t          *testing.T
	visibility *lateVisibility
	truth      truth
	open       []*workflowpb.WorkflowExecutionInfo
	last       contract.CountResult
}

func (h *happening) start() {
	for range rapid.IntRange(1, 4).Draw(h.rt, "start") {
		h.truth.started++
		run := h.visibility.starts(int(h.truth.started))
		run.StartTime.Seconds = time.Now().Unix()
		h.open = append(h.open, run)
	}
}

// end ends some runs at the same moment. Visibility learns of each one at a time of its own.
func (h *happening) end() {
	for range rapid.IntRange(0, len(h.open)).Draw(h.rt, "end") {
		at := rapid.IntRange(0, len(h.open)-1).Draw(h.rt, "which")
		run := h.open[at]
		h.open = slices.Delete(h.open, at, at+1)
		status := rapid.SampledFrom([]string{"Completed", "Failed", "Canceled", "Terminated", "TimedOut"}).Draw(h.rt, "status")
		late := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 30, 120, 299, 300}).Draw(h.rt, "late")) * time.Second
		if status == "Terminated" && rapid.Bool().Draw(h.rt, "reset") {
			h.visibility.reset[run.GetExecution().GetRunId()] = true
			h.truth.reset++
		} else {
			h.truth.ended[status]++
		}
		if status == "Completed" {
			h.truth.took = append(h.truth.took, time.Since(run.GetStartTime().AsTime()))
		}
		h.visibility.unseen[run] = end{status: status, closed: time.Now(), visible: time.Now().Add(late)}
	}
}

func (h *happening) wait() {
	time.Sleep(time.Duration(rapid.SampledFrom([]int{1, 15, 60, 250, 300}).Draw(h.rt, "wait")) * time.Second)
}

// count goes on from the last count, sometimes after an attempt whose result was lost.
func (h *happening) count() {
	h.visibility.learn()
	if rapid.Bool().Draw(h.rt, "the first attempt is lost") {
		tryCountFrom(h.t, h.visibility, h.last.RollUp)
		h.visibility.learn()
	}
	h.last = tryCountFrom(h.t, h.visibility, h.last.RollUp)
	var goneOn int64
	for _, run := range h.visibility.runs {
		if _, late := h.visibility.unseen[run]; late && h.visibility.reset[run.GetExecution().GetRunId()] {
			goneOn++ // visibility still shows it as running
		}
	}
	require.Equal(h.rt, h.truth.started-h.truth.reset+goneOn, h.last.Stats.Total, "a run is in exactly one of the counts")
}

// retention removes runs that were counted long ago.
func (h *happening) retention() {
	counted := h.last.AsOf.Add(-10 * time.Minute)
	h.visibility.runs = slices.DeleteFunc(h.visibility.runs, func(run *workflowpb.WorkflowExecutionInfo) bool {
		return run.GetCloseTime() != nil && run.GetCloseTime().AsTime().Before(counted)
	})
}

func (h *happening) compare() {
	stats, ended := h.last.Stats, h.truth.ended
	failed := ended["Failed"] + ended["TimedOut"] + ended["Terminated"]
	require.Equal(h.rt, []int64{
		h.truth.started - h.truth.reset, ended["Completed"], failed, ended["Canceled"], ended["TimedOut"], ended["Terminated"],
	}, endings(stats))
	require.Equal(h.rt, int64(len(h.open)), stats.Active)
	require.Len(h.rt, h.last.Jobs, len(h.open))
	if len(h.truth.took) == 0 {
		require.Zero(h.rt, stats.AverageMS)
		return
	}
	var sum time.Duration
	for _, took := range h.truth.took {
		sum += took
	}
	require.InDelta(h.rt, float64(sum.Milliseconds())/float64(len(h.truth.took)), stats.AverageMS, 0.01)
	slices.Sort(h.truth.took)
	for share, shown := range map[float64]float64{0.5: stats.P50MS, 0.95: stats.P95MS} {
		rank := int(share*float64(len(h.truth.took)) + 0.9999999)
		require.InDelta(h.rt, float64(h.truth.took[rank-1].Milliseconds()), shown, 1+0.01*shown)
	}
}
