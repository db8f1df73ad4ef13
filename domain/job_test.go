package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func jobOf(start, end time.Time) domain.JobInfo {
	return domain.JobInfo{DeliberationID: "w", RunID: "r", TaskID: "T-42", Role: "DEV", Status: "RUNNING", Start: start, End: end}
}

func TestAJobIsNamedAfterItsTaskAndRole(t *testing.T) {
	job := jobOf(time.Unix(1_700_000_000, 0), time.Time{})
	require.Equal(t, "w/r", job.ID())
	require.Equal(t, "deliberation T-42 (DEV)", job.Name())
}

func TestRuntime(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for name, test := range map[string]struct {
		end, now time.Time
		want     string
	}{
		"a running job's grows":                  {time.Time{}, start.Add(time.Minute), "1m 0s"},
		"an ended job's stays":                   {start.Add(90 * time.Second), start.Add(time.Hour), "1m 30s"},
		"a job that ended at once ran no time":   {start, start.Add(time.Hour), "0m 0s"},
		"an end that was never set is none":      {time.Unix(0, 0), start.Add(time.Minute), "1m 0s"},
		"a clock that is behind shows no time":   {time.Time{}, start.Add(-time.Minute), "0m 0s"},
		"parts of a second are dropped":          {time.Time{}, start.Add(1999 * time.Millisecond), "0m 1s"},
		"hours are minutes":                      {time.Time{}, start.Add(25 * time.Hour), "1500m 0s"},
		"where the clock stands makes no change": {time.Time{}, start.Add(time.Minute).In(time.FixedZone("x", 3600)), "1m 0s"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, jobOf(start, test.end).RuntimeAt(test.now)) })
	}
}

func TestRuntimeIsInWholeMinutesAndSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "start"), 0)
		took := rapid.Int64Range(0, 1e9).Draw(t, "took")
		runtime := jobOf(start, time.Time{}).RuntimeAt(start.Add(time.Duration(took) * time.Second))
		parsed, err := time.ParseDuration(runtime[:len(runtime)-len(lastWord(runtime))-1] + lastWord(runtime))
		require.NoError(t, err)
		require.Equal(t, time.Duration(took)*time.Second, parsed)
	})
}

func lastWord(text string) string {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == ' ' {
			return text[i+1:]
		}
	}
	return text
}

func TestJobStatusIsInTheWordsOfRay(t *testing.T) {
	for status, want := range map[domain.DeliberationStatus][2]string{
		domain.StatusSubmitted: {"PENDING", "RUNNING"},
		domain.StatusRunning:   {"PENDING", "RUNNING"},
		domain.StatusCompleted: {"SUCCEEDED", "SUCCEEDED"},
		domain.StatusFailed:    {"FAILED", "FAILED"},
		domain.StatusNotFound:  {"FAILED", "FAILED"},
		domain.StatusCancelled: {"STOPPED", "STOPPED"},
	} {
		require.Equal(t, want, [2]string{status.JobStatus(false), status.JobStatus(true)}, status)
	}
}

func TestClosedStatuses(t *testing.T) {
	for status, closed := range map[domain.DeliberationStatus]bool{
		domain.StatusSubmitted: false, domain.StatusRunning: false, domain.StatusNotFound: false,
		domain.StatusCompleted: true, domain.StatusFailed: true, domain.StatusCancelled: true,
	} {
		require.Equal(t, closed, status.Closed(), status)
	}
}

func TestEventIDs(t *testing.T) {
	require.Equal(t, "w/r/3-agent_completed", domain.EventID("w", "r", 3, domain.EventAgentCompleted))
	require.True(t, domain.EventStreamStart.BestEffort())
	for _, kind := range []domain.EventKind{
		domain.EventStarted, domain.EventAgentCompleted, domain.EventAgentFailed, domain.EventCompleted, domain.EventFailed, domain.EventCancelled,
	} {
		require.False(t, kind.BestEffort(), kind)
	}
}

func TestCountsHaveTheirNoun(t *testing.T) {
	require.Equal(t, "0 agents", domain.Count(0, "agent"))
	require.Equal(t, "1 agent", domain.Count(1, "agent"))
	require.Equal(t, "2 agents", domain.Count(2, "agent"))
}

func TestUsageAddsUp(t *testing.T) {
	one := domain.Usage{PromptTokens: 1, CompletionTokens: 2, Calls: 3}
	sum := one.Plus(domain.Usage{PromptTokens: 10, CompletionTokens: 20, Calls: 30})
	require.Equal(t, domain.Usage{PromptTokens: 11, CompletionTokens: 22, Calls: 33}, sum)
	require.Equal(t, 33, sum.Tokens())
	require.Equal(t, 3, one.Tokens())
}

func TestAHandleWithoutATurnIsZero(t *testing.T) {
	require.True(t, domain.Handle{Cluster: "local"}.IsZero())
	require.False(t, theHandle.IsZero())
}
