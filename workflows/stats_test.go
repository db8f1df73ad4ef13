package workflows_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func counted(total, active int64) fakes.Reply[contract.CountResult] {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	result := contract.CountResult{AsOf: at, RollUp: rolledUp(at), Stats: contract.Stats{Total: total, Active: active, Completed: total - active}}
	for range active {
		result.Jobs = append(result.Jobs, contract.ActiveJob{
			WorkflowID: deliberationID, RunID: "r", TaskID: "T-42", Role: "DEV", Start: time.Now().Add(-185 * time.Second),
		})
	}
	return fakes.Reply[contract.CountResult]{Value: result}
}

// statistics runs DeliberationStats for a time, and returns the state with which the next run starts.
func (s *stage) statistics(state contract.StatsState, life time.Duration) contract.StatsState {
	s.Helper()
	s.env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: contract.StatsID, TaskQueue: contract.DefaultTaskQueue})
	s.at(life, func() { s.env.SetContinueAsNewSuggested(true) })
	s.env.ExecuteWorkflow(contract.DeliberationStatsName, state)
	var continued *workflow.ContinueAsNewError
	require.ErrorAs(s, s.env.GetWorkflowError(), &continued)
	require.Equal(s, contract.DeliberationStatsName, continued.WorkflowType.Name)
	var next contract.StatsState
	require.NoError(s, converter.GetDefaultDataConverter().FromPayloads(continued.Input, &next))
	return next
}

// refreshed is the result of one update.
type refreshed struct {
	stats contract.Stats
	err   error
	done  bool
	after time.Duration
}

func (r *refreshed) Accept()          {}
func (r *refreshed) Reject(err error) { r.err, r.done = err, true }

func (s *stage) refresh(id string, r *refreshed) {
	begin := s.env.Now()
	s.env.UpdateWorkflow(contract.UpdateRefresh, id, updateOf(r, func() { r.after = s.env.Now().Sub(begin) }))
}

func TestStats_CountsOftenWhileAnythingRuns(t *testing.T) {
	tests := map[string]struct {
		active int64
		counts int
	}{
		"every fifteen seconds while one runs": {1, 5},
		"every minute while none does":         {0, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(3, test.active)}
			counts := 0
			s.at(65*time.Second, func() { counts = len(s.Visibility.Asked) })
			s.statistics(contract.StatsState{}, 70*time.Second)
			require.Equal(t, test.counts, counts)
		})
	}
}

func TestStats_AnswersWhatWasCounted(t *testing.T) {
	s := newStage(t)
	s.env.SetStartTime(time.Now().Add(-time.Hour))
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(3, 2)}
	var stats contract.Stats
	var jobs contract.ActiveJobs
	s.at(time.Second, func() {
		stats, jobs = ask[contract.Stats](s, contract.QueryStats), ask[contract.ActiveJobs](s, contract.QueryActiveJobs)
	})

	s.statistics(contract.StatsState{}, time.Minute)

	require.Equal(t, []int64{3, 2, 1}, []int64{stats.Total, stats.Active, stats.Completed})
	require.InDelta(t, 3600, stats.UptimeSeconds, 5)
	require.Equal(t, 2026, stats.AsOf.Year())
	require.Equal(t, int64(2), jobs.Total)
	require.Len(t, jobs.Jobs, 2)
	require.Regexp(t, `^3m \d+s$`, jobs.Jobs[0].Runtime)
	jobs.Jobs[0].Runtime, jobs.Jobs[0].StartTimeSeconds = "", 0
	require.Equal(t, contract.Job{
		JobID: deliberationID + "/r", Name: "deliberation T-42 (DEV)", Status: "RUNNING",
		SubmissionID: deliberationID, Role: "DEV", TaskID: "T-42",
	}, jobs.Jobs[0])
}

func TestStats_AnswersBeforeAnythingWasCounted(t *testing.T) {
	s := newStage(t)
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0).After(time.Second)}
	var stats, jobs string
	s.at(time.Second/2, func() {
		stats = encode(t, ask[contract.Stats](s, contract.QueryStats))
		jobs = encode(t, ask[contract.ActiveJobs](s, contract.QueryActiveJobs))
	})
	s.statistics(contract.StatsState{}, time.Minute)
	require.Contains(t, stats, `"total_deliberations":0`)
	require.Contains(t, stats, `"uptime_seconds":0`, "never negative")
	require.Contains(t, jobs, `"jobs":[]`)
}

func TestStats_HaveNoNegativeUptime(t *testing.T) {
	s := newStage(t)
	s.env.SetStartTime(time.Now().Add(time.Hour)) // a query may run on a machine with another clock
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0)}
	var stats contract.Stats
	s.at(time.Second, func() { stats = ask[contract.Stats](s, contract.QueryStats) })
	s.statistics(contract.StatsState{}, time.Minute)
	require.Zero(t, stats.UptimeSeconds)
}

func TestStats_RefreshesAtOneTimeShareACount(t *testing.T) {
	s := newStage(t)
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{
		counted(1, 0), counted(2, 0).After(3 * time.Second), counted(3, 0).After(3 * time.Second),
	}
	var first, second, third refreshed
	s.at(10*time.Second, func() { s.refresh("1", &first) })
	s.at(11*time.Second, func() { s.refresh("2", &second) })
	s.at(12*time.Second, func() { s.refresh("3", &third) })

	s.statistics(contract.StatsState{}, 20*time.Second)

	require.Equal(t, []int64{2, 3, 3}, []int64{first.stats.Total, second.stats.Total, third.stats.Total},
		"a count that began before the question doesn't answer it")
	require.Equal(t, []time.Duration{3 * time.Second, 5 * time.Second, 4 * time.Second},
		[]time.Duration{first.after, second.after, third.after})
	require.LessOrEqual(t, len(s.Visibility.Asked), 4)
}

func TestStats_ContinuesAsNewWithoutLosingARefresh(t *testing.T) {
	s := newStage(t)
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0).After(5 * time.Second), counted(2, 0).After(5 * time.Second)}
	var during refreshed
	s.at(time.Second, func() { s.env.SetContinueAsNewSuggested(true) })
	s.at(2*time.Second, func() { s.refresh("1", &during) })

	next := s.statistics(contract.StatsState{Since: since}, time.Second)

	require.True(t, during.done)
	require.NoError(t, during.err)
	require.Equal(t, int64(2), during.stats.Total)
	require.Equal(t, since, next.Since, "uptime counts from the chain's first start")
	require.Equal(t, int64(2), next.Last.Stats.Total, "the next run can answer immediately")
}

func TestStats_ContinuesAsNewEvenIfRefreshesKeepComing(t *testing.T) {
	s := newStage(t)
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 1).After(100 * time.Millisecond)}
	var come [60]refreshed
	for i := range come {
		s.at(time.Duration(i+1)*time.Second, func() { s.refresh(strconv.Itoa(i), &come[i]) })
	}
	begin := s.env.Now()

	s.statistics(contract.StatsState{}, 10*time.Second)

	require.LessOrEqual(t, s.env.Now().Sub(begin), 12*time.Second)
	require.True(t, come[9].done)
}

func TestStats_TheFirstRunSaysSinceWhen(t *testing.T) {
	s := newStage(t)
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s.env.SetStartTime(begin)
	s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0)}
	require.Equal(t, begin, s.statistics(contract.StatsState{}, time.Second).Since)
}

func TestStats_AFailedCountKeepsTheLastOne(t *testing.T) {
	tests := map[string]error{
		"for a while": errors.New("visibility is away"),
		"for good":    fakes.Fatal("TooLarge"),
	}
	for name, err := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(1, 0)}
			for range 12 {
				s.Visibility.Replies = append(s.Visibility.Replies, fakes.Reply[contract.CountResult]{Err: err})
			}
			s.Visibility.Replies = append(s.Visibility.Replies, counted(9, 0))
			var failed, mended refreshed
			s.at(10*time.Second, func() { s.refresh("1", &failed) })
			var meanwhile contract.Stats
			s.at(15*time.Second, func() { meanwhile = ask[contract.Stats](s, contract.QueryStats) })
			s.at(30*time.Minute, func() { s.refresh("2", &mended) })

			next := s.statistics(contract.StatsState{}, time.Hour)

			require.ErrorContains(t, failed.err, "CountDeliberations", "the caller gets the reason")
			require.Equal(t, int64(1), meanwhile.Total)
			require.NoError(t, mended.err)
			require.Equal(t, int64(9), mended.stats.Total)
			require.Equal(t, int64(9), next.Last.Stats.Total)
		})
	}
}

func TestStats_AreThoseOfTheDomain(t *testing.T) {
	stats, err := domain.NewExecutionStats(domain.ExecutionCounts{
		Active: 1, Completed: 3, Failed: 1, Cancelled: 1, TimedOut: 1, Terminated: 1,
	}, domain.ExecutionTimes{AverageMS: 2000, P50MS: 1900, P95MS: 2500})
	require.NoError(t, err)
	require.Equal(t, contract.Stats{
		Total: 8, Active: 1, Completed: 3, Failed: 3, AverageMS: 2000, Cancelled: 1, TimedOut: 1, Terminated: 1,
		P50MS: 1900, P95MS: 2500,
	}, contract.StatsOf(stats, time.Time{}))
}
