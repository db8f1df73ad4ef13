package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
)

// The times decide how soon a dead worker is noticed, and how long an absent Ray or NATS delays a run.
func TestSteps_HaveTheirQueuesAndTimes(t *testing.T) {
	type times struct {
		queue                       string
		heartbeat, attempt, overall time.Duration
	}
	s := newStage(t)
	seen := map[string]times{}
	s.started = func(info *activity.Info) {
		name := info.ActivityType.Name
		if _, before := seen[name]; before {
			name += ", again"
		}
		seen[name] = times{info.TaskQueue, info.HeartbeatTimeout, info.StartToCloseTimeout, info.ScheduleToCloseTimeout}
	}
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true), fakes.Answer("at last", 0.5))
	s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	const safety = 60 * time.Second
	require.Equal(t, times{"deliberations-submit", 30 * time.Second, time.Hour + safety, time.Hour + safety}, seen["SubmitTurns"])
	require.Equal(t, "deliberations-wait", seen["SubmitTurns, again"].queue, "it waits for no council that waits for room")
	require.Equal(t, times{"deliberations-wait", 30 * time.Second, 300*time.Second + safety, 300*time.Second + safety}, seen["AwaitTurn"])
	require.Equal(t, times{"deliberations", 0, 10 * time.Second, 7 * 24 * time.Hour}, seen["PublishEvents"])
	require.Equal(t, times{"deliberations", 0, 10 * time.Second, 20 * time.Second}, seen["StopTurns"])
	require.Equal(t, times{"deliberations", 0, 3 * time.Second, time.Minute}, seen["CloseDeliberation"],
		"a try waits for nobody for long; only a busy Temporal may take longer to begin it")
}
