package domain

// ExecutionCounts says how many deliberations run and how many ended in each way.
type ExecutionCounts struct {
	Active     int64
	Completed  int64
	Failed     int64 // without those that timed out or were terminated
	Cancelled  int64
	TimedOut   int64
	Terminated int64
}

// ExecutionTimes says how long the completed deliberations took, in milliseconds; 0 if there is none.
type ExecutionTimes struct{ AverageMS, P50MS, P95MS float64 }

// ExecutionStats counts deliberations.
type ExecutionStats struct {
	counts ExecutionCounts
	times  ExecutionTimes
}

// NewExecutionStats checks that nothing is negative; the error is [Faults].
func NewExecutionStats(counts ExecutionCounts, times ExecutionTimes) (ExecutionStats, error) {
	var faults Faults
	for _, c := range []struct {
		path  string
		count int64
	}{
		{"active_deliberations", counts.Active},
		{"completed_deliberations", counts.Completed},
		{"failed_deliberations", counts.Failed},
		{"cancelled_deliberations", counts.Cancelled},
		{"timed_out_deliberations", counts.TimedOut},
		{"terminated_deliberations", counts.Terminated},
	} {
		if c.count < 0 {
			faults.Add(c.path, "cannot be negative, got %d", c.count)
		}
	}
	for _, t := range []struct {
		path string
		took float64
	}{
		{"average_execution_time_ms", times.AverageMS}, {"p50_ms", times.P50MS}, {"p95_ms", times.P95MS},
	} {
		if t.took < 0 {
			faults.Add(t.path, "cannot be negative, got %g", t.took)
		}
	}
	if err := faults.OrNil(); err != nil {
		return ExecutionStats{}, err
	}
	return ExecutionStats{counts: counts, times: times}, nil
}

// Total returns how many are active, completed, failed and cancelled together.
func (s ExecutionStats) Total() int64 {
	return s.counts.Active + s.counts.Completed + s.Failed() + s.counts.Cancelled
}

// Failed returns how many failed, timed out or were terminated.
func (s ExecutionStats) Failed() int64 {
	return s.counts.Failed + s.counts.TimedOut + s.counts.Terminated
}

func (s ExecutionStats) Counts() ExecutionCounts { return s.counts }
func (s ExecutionStats) Times() ExecutionTimes   { return s.times }
