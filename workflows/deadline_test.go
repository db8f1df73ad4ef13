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
	s.ray.agents["agent-2"] = replies(failure(domain.ModelRejected, false))

	result, err := s.run(fakes.Council(3))

	require.NoError(t, err)
	require.True(t, result.Degraded)
	require.True(t, result.HasFailures)
	require.Equal(t, []int{3, 2, 1}, []int{result.TotalAgents, result.CompletedAgents, result.FailedAgents})
	require.Equal(t, []contract.AgentFailure{{
		AgentID: "agent-2", ErrorType: domain.ModelRejected, Message: "it broke", Attempts: 1,
	}}, result.Failures)
	require.Equal(t, contract.StoppedDecided, result.StopReason)
	require.Len(t, s.ray.forgotten, 3, "what failed on Ray may be forgotten there too")
}

func TestDeliberation_EqualScoresKeepTheOrderOfTheRequest(t *testing.T) {
	s := newStage(t)
	s.ray.agents["agent-1"] = replies(answer("slow", 0.5).in(3 * time.Second))
	s.ray.agents["agent-2"] = replies(answer("quick", 0.5))
	s.ray.agents["agent-3"] = replies(answer("better", 0.6).in(time.Second))

	result, err := s.run(fakes.Council(3))

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
			s.ray.agents["agent-3"] = replies(failure(domain.ModelRejected, false))

			_, err := s.run(quorum(fakes.Council(3), test.quorum))

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
	s.ray.agents["agent-1"] = script{never()}
	s.ray.agents["agent-2"] = script{never()}
	begin := s.env.Now()

	_, err := s.run(timeout(fakes.Council(2), 30))

	kind, message, details := failed(t, err)
	require.Equal(t, domain.DeadlineExceeded, kind)
	require.Contains(t, message, "0 of 2 agents gave a proposal, 1 needed by the deadline of 30 s")
	require.Equal(t, "propose", details.Phase)
	require.Equal(t, domain.StillRunning, details.Failures[0].ErrorType)
	require.Equal(t, 2, details.Usage.CompletionTokens, "what the stop found was paid too")
	require.Equal(t, 2, details.Usage.WastedTokens)
	require.LessOrEqual(t, s.env.Now().Sub(begin), 33*time.Second)
	require.Len(t, s.ray.stopped, 1)
	require.Len(t, s.ray.stopped[0].Stop, 2)
	require.Equal(t, "deadline", s.ray.stopped[0].Reason)
}

func TestDeliberation_RanksWhatIsCompleteAtItsDeadline(t *testing.T) {
	s := newStage(t)
	s.ray.agents["agent-2"] = script{never()}

	result, err := s.run(timeout(fakes.Council(3), 30))

	require.NoError(t, err)
	require.Equal(t, domain.StatusCompleted, result.Status)
	require.True(t, result.Degraded)
	require.Equal(t, contract.StoppedDeadline, result.StopReason)
	require.Equal(t, domain.StillRunning, result.Failures[0].ErrorType)
	require.Len(t, s.ray.stopped[0].Stop, 1, "only what still runs is stopped")
	require.Equal(t, int64(30_000), result.ExecutionTimeMS)
}

func TestDeliberation_ATurnThatCompletedJustBeforeTheStopCounts(t *testing.T) {
	s := newStage(t)
	best := answer("just in time", 0.99).out
	s.ray.agents["agent-2"] = script{{reply: never().reply, atStop: &best}}

	result, err := s.run(timeout(fakes.Council(2), 30))

	require.NoError(t, err)
	require.False(t, result.Degraded)
	require.Equal(t, "just in time", result.BestResult.Proposal)
	require.Equal(t, 2, result.Usage.LLMCalls)
	require.Zero(t, result.Usage.WastedTokens)
	require.Len(t, s.ray.forgotten, 2)
	require.Equal(t, []domain.EventKind{domain.EventAgentCompleted, domain.EventCompleted}, s.nats.kinds()[4:])
}

func TestDeliberation_TheDeadlineRunsFromTheFirstAcceptance(t *testing.T) {
	s := newStage(t)
	s.ray.submit = []reply[contract.SubmitTurnsResult]{{after: 100 * time.Second}}
	s.ray.agents["agent-1"] = replies(answer("after the queue", 0.5).in(29 * time.Second))

	result, err := s.run(timeout(fakes.Council(1), 30))

	require.NoError(t, err)
	require.Equal(t, contract.StoppedDecided, result.StopReason)
	require.Equal(t, int64(129_000), result.ExecutionTimeMS)
	require.Equal(t, 90, s.ray.submitted[0].RunSeconds)
	require.Equal(t, 3630, s.ray.submitted[0].KeepSeconds)
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
			s.ray.submit = []reply[contract.SubmitTurnsResult]{{
				out: contract.SubmitTurnsResult{Refusal: test.refusal}, err: test.err, after: time.Hour,
			}}
			var queued contract.Status
			s.at(time.Minute, func() { queued = s.status() })

			_, err := s.run(fakes.Council(2))

			kind, message, details := failed(t, err)
			require.Equal(t, domain.DeadlineExceeded, kind)
			require.Contains(t, message, test.mentions)
			require.Equal(t, "queued", details.Phase)
			require.Equal(t, domain.DeadlineExceeded, details.Failures[0].ErrorType)
			require.Equal(t, "queued", queued.Phase)
			require.Equal(t, "local", queued.WaitingFor)
			require.Len(t, s.ray.stopped[0].Stop, 2, "an unanswered submit may have started them")
			require.Empty(t, s.ray.stopped[0].Stop[0].Runner)
		})
	}
}

func TestDeliberation_FailsWithTheKindOfAFatalSubmit(t *testing.T) {
	for _, kind := range []domain.FailureKind{domain.RayDenied, domain.URLNotAllowed, domain.TurnRejected} {
		t.Run(string(kind), func(t *testing.T) {
			s := newStage(t)
			s.ray.submit = []reply[contract.SubmitTurnsResult]{{err: fatal(kind)}}

			_, err := s.run(fakes.Council(2))

			got, message, details := failed(t, err)
			require.Equal(t, domain.DeliberationFailed, got)
			require.Contains(t, message, string(kind)+": submit to local: refused")
			require.Equal(t, kind, details.Failures[1].ErrorType)
			require.Len(t, s.ray.stopped[0].Stop, 2, "an earlier try may have started them")
		})
	}
}

func TestDeliberation_StopsATurnWhoseAgentWasGivenUp(t *testing.T) {
	s := newStage(t)
	s.ray.agents["agent-1"] = replies(reply[contract.TurnOutcome]{err: fatal("WorkerBroken")})

	result, err := s.run(fakes.Council(2))

	require.NoError(t, err)
	require.True(t, result.Degraded)
	require.Len(t, s.ray.stopped, 1)
	require.Len(t, s.ray.stopped[0].Stop, 1)
	require.Equal(t, turnID(t, s, fakes.Council(2), "agent-1", 1), s.ray.stopped[0].Stop[0].TurnID)
}

func TestDeliberation_AsksTheStopForNoMoreThanAPayloadHolds(t *testing.T) {
	s := newStage(t)
	request := timeout(fakes.Council(16), 60)
	for _, agent := range request.Agents {
		s.ray.agents[agent.AgentID] = append(replies(unreachable(), unreachable()), never())
	}

	_, err := s.run(request)

	require.Error(t, err)
	require.Len(t, s.ray.stopped[0].Stop, 48)
	require.Equal(t, domain.AnswerMaximum(48), s.ray.stopped[0].AnswerBytes)
}

func TestDeliberation_BoundsTheMessageOfItsFailure(t *testing.T) {
	s := newStage(t)
	s.ray.agents["agent-1"] = replies(failure(domain.ModelRejected, false))
	s.ray.agents["agent-1"][0].out.Message = strings.Repeat("<", 3000)

	_, err := s.run(fakes.Council(1))

	_, message, details := failed(t, err)
	require.LessOrEqual(t, domain.EncodedSize(message), 2<<10)
	require.LessOrEqual(t, domain.EncodedSize(details.Failures[0].Message), 2<<10)
	require.Equal(t, message, *s.status().ErrorMessage)
}

func TestDeliberation_EndsThoughTheStopComesToNothing(t *testing.T) {
	tests := map[string]reply[contract.StopTurnsResult]{
		"because Ray is away":            {err: errors.New("connection refused")},
		"because nobody answers in 20 s": {err: temporal.NewTimeoutError(3, nil), after: 20 * time.Second},
	}
	for name, says := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.ray.agents["agent-1"] = script{never()}
			for range 50 {
				s.ray.stop = append(s.ray.stop, says)
			}
			begin := s.env.Now()

			result, err := s.runBesidesRay(timeout(fakes.Council(2), 30))

			require.NoError(t, err)
			require.Equal(t, contract.StoppedDeadline, result.StopReason)
			require.LessOrEqual(t, s.env.Now().Sub(begin), 60*time.Second)
		})
	}
}
