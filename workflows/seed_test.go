package workflows_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestSeed_ExecuteGivesTheRankedResultAndItsEvents(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("first", 0.4))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("second", 0.9))

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, domain.StatusCompleted, result.Status)
	require.Equal(t, deliberationID, result.DeliberationID)
	require.Equal(t, "T-42", result.TaskID)
	require.Equal(t, "second", result.BestResult.Proposal)
	require.Equal(t, result.Results[0], *result.BestResult)
	require.Equal(t, []string{"agent-2", "agent-1"}, []string{result.Results[0].AgentID, result.Results[1].AgentID})
	require.Equal(t, []int{1, 2}, []int{result.Results[0].Rank, result.Results[1].Rank})
	require.InDelta(t, 0.65, result.AverageScore, 1e-9)
	require.False(t, result.Degraded)
	require.False(t, result.HasFailures)
	require.Equal(t, domain.RankedBySelf, result.RankingBasis)
	require.Equal(t, domain.StopComplete, result.StopReason)
	require.Equal(t, contract.TotalUsage{PromptTokens: 20, CompletionTokens: 10, LLMCalls: 2}, result.Usage)
	require.Len(t, s.Ray.Submitted, 1, "all agents go to Ray in one request")
	require.Empty(t, s.Ray.Stopped)
	require.Equal(t, []domain.EventKind{
		domain.EventStarted, domain.EventStreamStart, domain.EventStreamStart,
		domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}, s.NATS.Kinds())
}

func TestSeed_ExecuteWithoutNATSSchedulesNoPublishing(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Events = false

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, domain.StatusCompleted, result.Status)
	require.NotContains(t, s.scheduled, workflows.PublishEvents.Name())
	require.Contains(t, s.scheduled, workflows.AwaitTurn.Name())
}

func TestSeed_ExecuteFailsWhenRayFails(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Err: fakes.Fatal(domain.RayDenied)}}

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	kind, _, details := failed(t, err)
	require.Equal(t, domain.DeliberationFailed, kind)
	require.Len(t, details.Failures, 2)
	require.Equal(t, domain.RayDenied, details.Failures[0].ErrorType)
	require.Len(t, s.Ray.Submitted, 1, "a fatal refusal isn't tried again")
}

func TestSeed_ExecuteGivesTheSameResultWhenNATSFails(t *testing.T) {
	with, without := newStage(t), newStage(t)
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	with.env.SetStartTime(begin)
	without.env.SetStartTime(begin)
	var outbox []contract.EventRecord
	without.NATS.ReplyTo = func(call int) fakes.Reply[contract.PublishEventsResult] {
		if isOutbox := len(outbox) > 0; isOutbox {
			return fakes.Reply[contract.PublishEventsResult]{}
		}
		return fakes.Reply[contract.PublishEventsResult]{Err: errors.New("nats: no servers available")}
	}
	without.onOutbox(func(in contract.OutboxInput) { outbox = in.Events })

	expected, err := with.runAndExpectNothingLeft(fakes.Council(2))
	require.NoError(t, err)
	result, err := without.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.Equal(t, expected, result)
	kinds := []domain.EventKind{
		domain.EventStarted, domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}
	require.Equal(t, kinds, fakes.KindsOf(outbox), "the outbox gets all events but the best-effort ones, in order")
	require.Equal(t, kinds, without.NATS.Kinds())
}

func TestSeed_ExecuteRefusesAnEmptyTaskID(t *testing.T) {
	s := newStage(t)
	request := fakes.Council(1)
	request.TaskID = ""

	_, err := s.runAndExpectNothingLeft(request)

	kind, message, _ := failed(t, err)
	require.Equal(t, domain.InvalidRequest, kind)
	require.Equal(t, "task_id: cannot be empty", message)
	require.Empty(t, s.scheduled)
}

func TestSeed_ExecuteRefusesACouncilWithoutAgents(t *testing.T) {
	s := newStage(t)

	_, err := s.runAndExpectNothingLeft(fakes.Council(0))

	kind, message, _ := failed(t, err)
	require.Equal(t, domain.InvalidRequest, kind)
	require.Equal(t, "agents: needs at least one agent", message)
	require.Empty(t, s.scheduled)
}

func TestSeed_StatusIsRunningThenCompleted(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("done", 0.7).After(10 * time.Second))
	var during contract.Status
	s.at(5*time.Second, func() { during = s.status() })

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Equal(t, domain.StatusRunning, during.Status)
	require.Nil(t, during.Result)
	require.Nil(t, during.ErrorMessage)
	require.Equal(t, domain.StatusCompleted, s.status().Status)
	require.Equal(t, "done", s.status().Result.Proposal)
	require.Nil(t, s.status().ErrorMessage)
}

func TestSeed_StatusIsFailedWithAnErrorMessage(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false))

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.Error(t, err)
	require.Equal(t, domain.StatusFailed, s.status().Status)
	require.Nil(t, s.status().Result)
	require.Contains(t, *s.status().ErrorMessage, "ModelRejected")
}

func TestSeed_JobRuntimeIsInWholeMinutesAndSeconds(t *testing.T) {
	for runtime, expected := range map[time.Duration]string{
		0: "0m 0s", 125 * time.Second: "2m 5s", 185 * time.Second: "3m 5s",
	} {
		t.Run(expected, func(t *testing.T) {
			s := newStage(t)
			s.env.SetStartTime(time.Now().Add(-runtime))
			s.Ray.Agents["agent-1"] = fakes.Script{fakes.Never()}
			var job contract.Job
			s.at(time.Second, func() { job = ask[contract.Job](s, contract.QueryJob) })

			_, err := s.runAndExpectNothingLeft(fakes.Council(1))

			require.Error(t, err)
			require.Equal(t, expected, job.Runtime)
			require.Equal(t, "RUNNING", job.Status)
			require.Equal(t, deliberationID, job.SubmissionID)
			require.Equal(t, "5m 0s", ask[contract.Job](s, contract.QueryJob).Runtime, "the runtime of a closed run is fixed")
		})
	}
}
