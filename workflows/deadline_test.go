package workflows_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestDeliberation_OneAgentMayFailWhileOthersWin(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false))

	result, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	require.True(t, result.Degraded)
	require.True(t, result.HasFailures)
	require.Equal(t, []int{3, 2, 1}, []int{result.TotalAgents, result.CompletedAgents, result.FailedAgents})
	require.Equal(t, []contract.AgentFailure{{
		AgentID: "agent-2", ErrorType: domain.ModelRejected, Message: "it broke", Attempts: 1,
	}}, result.Failures)
	require.Equal(t, domain.StopComplete, result.StopReason)
	require.Len(t, s.Ray.Forgotten, 3, "failed turns may be forgotten too")
}

func TestDeliberation_EqualScoresKeepTheOrderOfTheRequest(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("slow", 0.5).After(3 * time.Second))
	s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("quick", 0.5))
	s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Answer("better", 0.6).After(time.Second))

	result, err := s.runAndExpectNothingLeft(fakes.Council(3))

	require.NoError(t, err)
	require.Equal(t, []string{"better", "slow", "quick"}, []string{
		result.Results[0].Proposal, result.Results[1].Proposal, result.Results[2].Proposal,
	})
}

func TestDeliberation_NeedsItsQuorum(t *testing.T) {
	tests := map[string]struct {
		quorum int
		met    bool
	}{
		"none asked for means that one proposal is enough": {0, true},
		"two of three are enough when two are asked for":   {2, true},
		"two of three aren't three":                        {3, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.Agents["agent-3"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false))

			_, err := s.runAndExpectNothingLeft(quorum(fakes.Council(3), test.quorum))

			if test.met {
				require.NoError(t, err)
				return
			}
			kind, message, details := failed(t, err)
			require.Equal(t, domain.DeliberationFailed, kind)
			require.Equal(t, "2 of 3 agents gave a proposal, 3 needed; agent-3: ModelRejected: it broke", message)
			require.Equal(t, deliberationID, details.DeliberationID)
			require.Equal(t, "propose", details.Phase)
			require.Equal(t, 3, details.Usage.LLMCalls)
		})
	}
}

func TestDeliberation_FailsAtItsDeadline(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Script{fakes.Never()}
	s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}
	begin := s.env.Now()

	_, err := s.runAndExpectNothingLeft(timeout(fakes.Council(2), 30))

	kind, message, details := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Contains(t, message, "0 of 2 agents gave a proposal, 1 needed by the deadline of 30 s")
	require.Equal(t, "propose", details.Phase)
	require.Equal(t, domain.StillRunning, details.Failures[0].ErrorType)
	require.Equal(t, 2, details.Usage.CompletionTokens, "the stopped turns have cost tokens too")
	require.Equal(t, 2, details.Usage.WastedTokens)
	require.LessOrEqual(t, s.env.Now().Sub(begin), 33*time.Second)
	require.Len(t, s.Ray.Stopped, 1)
	require.Len(t, s.Ray.Stopped[0].Turns, 2)
	require.Equal(t, "deadline", s.Ray.Stopped[0].Reason)
}

func TestDeliberation_RanksWhatIsCompleteAtItsDeadline(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-2"] = fakes.Script{fakes.Never()}

	result, err := s.runAndExpectNothingLeft(timeout(fakes.Council(3), 30))

	require.NoError(t, err)
	require.Equal(t, domain.StatusCompleted, result.Status)
	require.True(t, result.Degraded)
	require.Equal(t, domain.StopDeadline, result.StopReason)
	require.Equal(t, domain.StillRunning, result.Failures[0].ErrorType)
	require.Len(t, s.Ray.Stopped[0].Turns, 1, "only what still runs is stopped")
	require.Equal(t, int64(30_000), result.ExecutionTimeMS)
}

func TestDeliberation_ATurnThatCompletedJustBeforeTheStopCounts(t *testing.T) {
	s := newStage(t)
	best := fakes.Answer("just in time", 0.99).Value
	s.Ray.Agents["agent-2"] = fakes.Script{{Reply: fakes.Never().Reply, AtStop: &best}}

	result, err := s.runAndExpectNothingLeft(timeout(fakes.Council(2), 30))

	require.NoError(t, err)
	require.False(t, result.Degraded)
	require.Equal(t, "just in time", result.BestResult.Proposal)
	require.Equal(t, 2, result.Usage.LLMCalls)
	require.Zero(t, result.Usage.WastedTokens)
	require.Len(t, s.Ray.Forgotten, 2)
	require.Equal(t, []domain.EventKind{domain.EventAgentCompleted, domain.EventCompleted}, s.NATS.Kinds()[4:])
}

func TestDeliberation_TheDeadlineRunsFromTheFirstAcceptance(t *testing.T) {
	s := newStage(t)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Delay: 100 * time.Second}}
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Answer("after the queue", 0.5).After(29 * time.Second))

	result, err := s.runAndExpectNothingLeft(timeout(fakes.Council(1), 30))

	require.NoError(t, err)
	require.Equal(t, domain.StopComplete, result.StopReason)
	require.Equal(t, int64(129_000), result.ExecutionTimeMS)
	require.Equal(t, 90, s.Ray.Submitted[0].RunSeconds)
	require.Equal(t, 3630, s.Ray.Submitted[0].KeepSeconds)
}

func TestDeliberation_GivesUpInTheQueue(t *testing.T) {
	tests := map[string]struct {
		refusal  string
		err      error
		mentions string
	}{
		"when there is no room in time":    {"503: runner_full", nil, "last refusal: local: 503: runner_full"},
		"when no worker took it in time":   {"", temporal.NewTimeoutError(1, nil), "last refusal: local: no worker took"},
		"when the app's answer comes late": {"429: too many turns", nil, "queued for 3600 s without room on Ray"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{
				Value: contract.SubmitTurnsResult{Refusal: test.refusal}, Err: test.err, Delay: time.Hour,
			}}
			var queued contract.Status
			s.at(time.Minute, func() { queued = s.status() })

			_, err := s.runAndExpectNothingLeft(fakes.Council(2))

			kind, message, details := failed(t, err)
			require.Equal(t, domain.DeadlineExceeded, kind)
			require.Contains(t, message, test.mentions)
			require.Equal(t, "queued", details.Phase)
			require.Equal(t, domain.DeadlineExceeded, details.Failures[0].ErrorType)
			require.Equal(t, "queued", queued.Phase)
			require.Equal(t, "local", queued.WaitingFor)
			require.Len(t, s.Ray.Stopped[0].Turns, 2, "an unanswered submit may have started them")
			require.Empty(t, s.Ray.Stopped[0].Turns[0].Runner)
		})
	}
}

func TestDeliberation_FailsWithTheKindOfAFatalSubmit(t *testing.T) {
	for _, kind := range []domain.FailureKind{domain.RayDenied, domain.URLNotAllowed, domain.TurnRejected} {
		t.Run(string(kind), func(t *testing.T) {
			s := newStage(t)
			s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{Err: fakes.Fatal(kind)}}

			_, err := s.runAndExpectNothingLeft(fakes.Council(2))

			got, message, details := failed(t, err)
			require.Equal(t, domain.DeliberationFailed, got)
			require.Contains(t, message, string(kind)+": submit to local: refused")
			require.Equal(t, kind, details.Failures[1].ErrorType)
			require.Len(t, s.Ray.Stopped[0].Turns, 2, "an earlier try may have started them")
		})
	}
}

func TestDeliberation_StopsATurnWhoseAgentWasGivenUp(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Reply[contract.TurnOutcome]{Err: fakes.Fatal("WorkerBroken")})

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.True(t, result.Degraded)
	require.Len(t, s.Ray.Stopped, 1)
	require.Len(t, s.Ray.Stopped[0].Turns, 1)
	require.Equal(t, turnID(t, s, fakes.Council(2), "agent-1", 1), s.Ray.Stopped[0].Turns[0].TurnID)
}

func TestDeliberation_AsksTheStopForNoMoreThanAPayloadHolds(t *testing.T) {
	s := twoClusters(t)
	request := timeout(fakes.Council(16), 60)
	s.Ray.SubmitReplies = []fakes.Reply[contract.SubmitTurnsResult]{{}}
	for _, agent := range request.Agents {
		s.Ray.Agents[agent.AgentID] = append(fakes.Replies(fakes.Unreachable()), fakes.Never())
		s.Ray.SubmitReplies = append(s.Ray.SubmitReplies, fakes.Reply[contract.SubmitTurnsResult]{Delay: fakes.Forever})
	}

	_, err := s.runAndExpectNothingLeft(request)

	require.Error(t, err)
	require.Len(t, s.Ray.Stopped[0].Turns, 32)
	require.Equal(t, domain.AnswerMaximum(32), s.Ray.Stopped[0].AnswerBytes)
}

func TestDeliberation_BoundsTheMessageOfItsFailure(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false))
	s.Ray.Agents["agent-1"][0].Value.Message = strings.Repeat("<", 3000)

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	_, message, details := failed(t, err)
	require.LessOrEqual(t, domain.EncodedSize(message), 2<<10)
	require.LessOrEqual(t, domain.EncodedSize(details.Failures[0].Message), 2<<10)
	require.Equal(t, message, *s.status().ErrorMessage)
}

func TestDeliberation_EndsEvenIfTheStopFails(t *testing.T) {
	tests := map[string]fakes.Reply[contract.StopTurnsResult]{
		"because Ray is away":            {Err: errors.New("connection refused")},
		"because nobody answers in 20 s": {Err: temporal.NewTimeoutError(3, nil), Delay: 20 * time.Second},
	}
	for name, says := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.Agents["agent-1"] = fakes.Script{fakes.Never()}
			for range 50 {
				s.Ray.StopReplies = append(s.Ray.StopReplies, says)
			}
			begin := s.env.Now()

			result, err := s.run(timeout(fakes.Council(2), 30))

			require.NoError(t, err)
			require.Equal(t, domain.StopDeadline, result.StopReason)
			require.LessOrEqual(t, s.env.Now().Sub(begin), 60*time.Second)
		})
	}
}
