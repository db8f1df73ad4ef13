package domain

import (
	"maps"
	"slices"
	"time"
)

// Ending is how a deliberation's run ended.
type Ending string

// The endings. Timed out and terminated ones count as failed too.
const (
	EndedCompleted  Ending = "completed"
	EndedFailed     Ending = "failed"
	EndedCancelled  Ending = "cancelled"
	EndedTimedOut   Ending = "timed_out"
	EndedTerminated Ending = "terminated"
)

// ExecutionStats counts deliberations. The zero value counts none.
type ExecutionStats struct {
	active     int64
	endings    map[Ending]int64
	executions []time.Duration // of the completed, unordered
	figures    *ExecutionFigures
}

// ExecutionFigures stand for execution times that are too many to be kept.
type ExecutionFigures struct {
	AverageMS     float64
	PercentilesMS map[float64]float64 // by the share of the completed that stay within
}

// StatsSpec is what [ExecutionStats] are made of.
type StatsSpec struct {
	Active     int64
	Completed  int64
	Failed     int64 // Failed, not timed out or terminated
	Cancelled  int64
	TimedOut   int64
	Terminated int64
	Executions []time.Duration   // of the completed
	Figures    *ExecutionFigures // in place of Executions; nil: those are all there is
}

// NewExecutionStats checks that nothing is negative; the error is [Faults].
func NewExecutionStats(spec StatsSpec) (ExecutionStats, error) {
	var faults Faults
	counts := []struct {
		path  string
		count int64
	}{
		{"active_deliberations", spec.Active},
		{"completed_deliberations", spec.Completed},
		{"failed_deliberations", spec.Failed},
		{"cancelled_deliberations", spec.Cancelled},
		{"timed_out_deliberations", spec.TimedOut},
		{"terminated_deliberations", spec.Terminated},
	}
	for _, c := range counts {
		if c.count < 0 {
			faults.Add(c.path, "cannot be negative, got %d", c.count)
		}
	}
	for _, execution := range spec.Executions {
		if execution < 0 {
			faults.Add("average_execution_time_ms", "cannot be negative, got %d", execution.Milliseconds())
			break
		}
	}
	if spec.Figures != nil && len(spec.Executions) > 0 {
		faults.Add("average_execution_time_ms", "has execution times and figures that stand for them")
	}
	if err := faults.OrNil(); err != nil {
		return ExecutionStats{}, err
	}
	return ExecutionStats{
		active: spec.Active,
		endings: map[Ending]int64{
			EndedCompleted: spec.Completed, EndedFailed: spec.Failed, EndedCancelled: spec.Cancelled,
			EndedTimedOut: spec.TimedOut, EndedTerminated: spec.Terminated,
		},
		executions: slices.Clone(spec.Executions),
		figures:    spec.Figures.clone(),
	}, nil
}

func (f *ExecutionFigures) clone() *ExecutionFigures {
	if f == nil {
		return nil
	}
	return &ExecutionFigures{AverageMS: f.AverageMS, PercentilesMS: maps.Clone(f.PercentilesMS)}
}

// Record counts a run that ended after so long.
func (s ExecutionStats) Record(ending Ending, execution time.Duration) ExecutionStats {
	counted := map[Ending]int64{ending: 1}
	for known, count := range s.endings { //workflowcheck:ignore // sums, in whatever order
		counted[known] += count
	}
	before := float64(s.Completed())
	s.endings = counted
	switch {
	case ending != EndedCompleted:
	case s.figures != nil: // one more moves an average that is known; percentiles stay until they are taken anew
		s.figures = s.figures.clone()
		s.figures.AverageMS += (float64(max(0, execution))/float64(time.Millisecond) - s.figures.AverageMS) / (before + 1)
	default:
		s.executions = append(slices.Clip(s.executions), max(0, execution)) // never into another copy's array
	}
	return s
}

// WithActive says how many run.
func (s ExecutionStats) WithActive(active int64) ExecutionStats {
	s.active = max(0, active)
	return s
}

// Total is active, completed, failed and cancelled together.
func (s ExecutionStats) Total() int64 { return s.active + s.Completed() + s.Failed() + s.Cancelled() }

// Active is how many run.
func (s ExecutionStats) Active() int64 { return s.active }

// Completed is how many gave a result.
func (s ExecutionStats) Completed() int64 { return s.endings[EndedCompleted] }

// Failed counts the failed, the timed out and the terminated.
func (s ExecutionStats) Failed() int64 {
	return s.endings[EndedFailed] + s.TimedOut() + s.Terminated()
}

// Cancelled is how many were cancelled.
func (s ExecutionStats) Cancelled() int64 { return s.endings[EndedCancelled] }

// TimedOut is how many the server ended for their age.
func (s ExecutionStats) TimedOut() int64 { return s.endings[EndedTimedOut] }

// Terminated is how many were ended from outside.
func (s ExecutionStats) Terminated() int64 { return s.endings[EndedTerminated] }

// AverageExecutionTimeMS is over the completed, in milliseconds; 0 when there is none.
func (s ExecutionStats) AverageExecutionTimeMS() float64 {
	if s.figures != nil {
		return s.figures.AverageMS
	}
	if len(s.executions) == 0 {
		return 0
	}
	sum := 0.0 // many long runs are more than a time.Duration holds
	for _, execution := range s.executions {
		sum += float64(execution)
	}
	return sum / float64(len(s.executions)) / float64(time.Millisecond)
}

// PercentileMS is the execution time in milliseconds that share of the completed stay within, by the
// nearest rank; 0 when there is none, or when figures stand for them that don't have this one.
func (s ExecutionStats) PercentileMS(share float64) float64 {
	if s.figures != nil {
		return s.figures.PercentilesMS[share]
	}
	if len(s.executions) == 0 {
		return 0
	}
	ordered := slices.Sorted(slices.Values(s.executions))
	return float64(ordered[NearestRank(share, len(ordered))-1]) / float64(time.Millisecond)
}

// NearestRank is the place, from 1, of the value that share of count ordered ones stay within.
func NearestRank(share float64, count int) int {
	return max(1, min(int(share*float64(count)+0.9999999), count))
}
