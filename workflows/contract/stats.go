package contract

import (
	"time"

	"deliberation.io/deliberation/domain"
)

// CountInput asks for a count that continues from a roll-up.
type CountInput struct {
	RollUp RollUp `json:"roll_up,omitzero"`
}

// CountResult counts what has ended so far and what runs at the moment.
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

// RollUp counts all runs that have ended, and says up to which time they were read. Visibility lists ends late, so
// the next count reads all runs again that ended since RereadFrom. It skips those that were counted.
type RollUp struct {
	Watermark   time.Time  `json:"watermark"`   // runs that ended earlier were read, except those listed late
	RereadFrom  time.Time  `json:"reread_from"` // zero if nothing was read yet
	Completed   int64      `json:"completed"`
	Failed      int64      `json:"failed"`
	Cancelled   int64      `json:"cancelled"`
	TimedOut    int64      `json:"timed_out"`
	Terminated  int64      `json:"terminated"`
	ExecutionUS int64      `json:"execution_us"` // the sum over all completed runs
	Histogram   string     `json:"histogram"`    // of the execution times in ms: HdrHistogram, V2, compressed, base64
	Seen        []SeenRuns `json:"seen,omitempty"`

	UsageByPhase map[domain.PhaseKind]PhaseUsage `json:"usage_by_phase,omitempty"`
}

// AddUsage adds the cost of a run. The roll-up that it returns shares no map with the first one.
func (r RollUp) AddUsage(run map[domain.PhaseKind]PhaseUsage) RollUp {
	sum := map[domain.PhaseKind]PhaseUsage{}
	for _, kind := range domain.PhaseKinds() {
		if usage := r.UsageByPhase[kind].plus(run[kind]); usage.LLMCalls > 0 {
			sum[kind] = usage
		}
	}
	r.UsageByPhase = sum
	return r
}

// SeenRuns are the runs that ended within one period of [SeenWithin]. 64 bits of a hash stand for each.
type SeenRuns struct {
	Since  time.Time `json:"since"`
	Hashes []byte    `json:"hashes"`
}

// SeenWithin is the length of the periods by which seen runs are grouped and forgotten.
const SeenWithin = 10 * time.Second

// StatsState is passed from one run of DeliberationStats to the next.
type StatsState struct {
	Since  time.Time   `json:"since"` // of the chain's first run
	Last   CountResult `json:"last"`  // without its roll-up
	RollUp RollUp      `json:"roll_up,omitzero"`
}

func (s *StatsState) Take(counted CountResult) {
	s.RollUp, counted.RollUp = counted.RollUp, RollUp{}
	s.Last = counted
}

// Stats is the answer to the query `stats`.
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

	// UsageByPhase is the cost of each kind of phase, over all runs that have ended by themselves.
	UsageByPhase map[domain.PhaseKind]PhaseUsage `json:"usage_by_phase,omitempty"`
}

// ActiveJobs is the answer to the query `active_jobs`: the newest jobs, and the number of all.
type ActiveJobs struct {
	Jobs  []Job     `json:"jobs"`
	Total int64     `json:"total"`
	AsOf  time.Time `json:"as_of"`
}

// StatsOf maps the domain's statistics.
func StatsOf(stats domain.ExecutionStats, asOf time.Time) Stats {
	counts, times := stats.Counts(), stats.Times()
	return Stats{
		Total: stats.Total(), Active: counts.Active, Completed: counts.Completed, Failed: stats.Failed(),
		AverageMS: times.AverageMS, Cancelled: counts.Cancelled, TimedOut: counts.TimedOut,
		Terminated: counts.Terminated, P50MS: times.P50MS, P95MS: times.P95MS, AsOf: asOf,
	}
}
