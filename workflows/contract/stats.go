package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// CountInput asks for a count that goes on from what is rolled up.
type CountInput struct {
	RollUp RollUp `json:"roll_up,omitzero"`
}

// CountResult is what has ended so far and what runs at the moment.
type CountResult struct {
	Stats  Stats       `json:"stats"`
	Jobs   []ActiveJob `json:"jobs"`
	AsOf   time.Time   `json:"as_of"`
	RollUp RollUp      `json:"roll_up,omitzero"`
}

// ActiveJob is a running deliberation.
type ActiveJob struct {
	WorkflowID string    `json:"workflow_id"`
	RunID      string    `json:"run_id"`
	TaskID     string    `json:"task_id"`
	Role       string    `json:"role"`
	Start      time.Time `json:"start"`
}

// RollUp is what all runs that have ended come to, and how far they were read. A count reads again what
// ended since RereadFrom, for visibility learns of an end late, and skips what it has seen.
type RollUp struct {
	Watermark   time.Time  `json:"watermark"`   // runs that ended before were read, but for late ones
	RereadFrom  time.Time  `json:"reread_from"` // zero: nothing was read yet
	Completed   int64      `json:"completed"`
	Failed      int64      `json:"failed"`
	Cancelled   int64      `json:"cancelled"`
	TimedOut    int64      `json:"timed_out"`
	Terminated  int64      `json:"terminated"`
	ExecutionUS int64      `json:"execution_us"` // of all completed ones together
	Histogram   string     `json:"histogram"`    // of their execution times in ms: HdrHistogram, V2, compressed, base64
	Seen        []SeenRuns `json:"seen,omitempty"`
}

// IsZero tells that nothing was ever rolled up: older workers don't.
func (r RollUp) IsZero() bool { return r.Watermark.IsZero() }

// SeenRuns are the runs that ended within one [SeenWithin], by 64 bits of a hash each.
type SeenRuns struct {
	Since  time.Time `json:"since"`
	Hashes []byte    `json:"hashes"`
}

// SeenWithin is how finely the runs that were seen are forgotten.
const SeenWithin = 10 * time.Second

// StatsState goes from one run of DeliberationStats to the next.
type StatsState struct {
	Since  time.Time   `json:"since"` // of the chain's first run
	Last   CountResult `json:"last"`  // without its roll-up
	RollUp RollUp      `json:"roll_up,omitzero"`
}

// Take goes on from a count. What is rolled up is never given up for a result that has none: while
// workers are replaced, an older one may count.
func (s *StatsState) Take(counted CountResult) {
	if !counted.RollUp.IsZero() {
		s.RollUp = counted.RollUp
	}
	counted.RollUp = RollUp{}
	s.Last = counted
}

// Stats is the answer of the query `stats`.
type Stats struct {
	Total         int64     `json:"total_deliberations"`
	Active        int64     `json:"active_deliberations"`
	Completed     int64     `json:"completed_deliberations"`
	Failed        int64     `json:"failed_deliberations"`
	AverageMS     float64   `json:"average_execution_time_ms"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	Cancelled     int64     `json:"cancelled_deliberations"`
	TimedOut      int64     `json:"timed_out_deliberations"`
	Terminated    int64     `json:"terminated_deliberations"`
	P50MS         float64   `json:"p50_ms"`
	P95MS         float64   `json:"p95_ms"`
	AsOf          time.Time `json:"as_of"`
}

// ActiveJobs is the answer of the query `active_jobs`: the newest, and how many there are.
type ActiveJobs struct {
	Jobs  []Job     `json:"jobs"`
	Total int64     `json:"total"`
	AsOf  time.Time `json:"as_of"`
}

// StatsOf maps the domain's statistics.
func StatsOf(stats domain.ExecutionStats, asOf time.Time) Stats {
	return Stats{
		Total: stats.Total(), Active: stats.Active(), Completed: stats.Completed(), Failed: stats.Failed(),
		AverageMS: stats.AverageExecutionTimeMS(), Cancelled: stats.Cancelled(), TimedOut: stats.TimedOut(),
		Terminated: stats.Terminated(), P50MS: stats.PercentileMS(0.5), P95MS: stats.PercentileMS(0.95), AsOf: asOf,
	}
}
