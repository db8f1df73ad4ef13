package workflows_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestDeliberation_TriesATurnAgain(t *testing.T) {
	model := fakes.Failure(domain.ModelUnavailable, true)
	tests := map[string]struct {
		clusters   int // 0: one cluster
		agent      fakes.Script
		maxRetries int
		attempts   int
		failure    domain.FailureKind // empty: the agent completes
		calls      int
		wasted     int
	}{
		"a model that fails twice and then answers costs three attempts": {
			agent: fakes.Replies(model, model, fakes.Answer("at last", 0.5)), maxRetries: 3, attempts: 3, calls: 3, wasted: 22,
		},
		"the last retry counts": {
			agent: fakes.Replies(model, model, fakes.Answer("at last", 0.5)), maxRetries: 2, attempts: 3, calls: 3, wasted: 22,
		},
		"a model that fails for good uses the budget up": {
			agent: fakes.Replies(model), maxRetries: 2, attempts: 3, failure: domain.ModelUnavailable, calls: 3, wasted: 33,
		},
		"no retries means one attempt": {
			agent: fakes.Replies(model, fakes.Answer("too late", 1)), maxRetries: 0, attempts: 1,
			failure: domain.ModelUnavailable, calls: 1, wasted: 11,
		},
		"a failure that can't be mended isn't tried again": {
			agent: fakes.Replies(fakes.Failure(domain.ContextTooLong, false), fakes.Answer("too late", 1)), maxRetries: 3, attempts: 1,
			failure: domain.ContextTooLong, calls: 1, wasted: 11,
		},
		"an answer without a proposal uses up a retry": {
			agent: fakes.Replies(fakes.Failure(domain.InvalidOutput, true), fakes.Answer("better", 0.5)), maxRetries: 1, attempts: 2,
			calls: 2, wasted: 11,
		},
		"a turn lost three times is put to Ray a fourth time": {
			agent: fakes.Replies(fakes.Lost(), fakes.Lost(), fakes.Lost(), fakes.Answer("still here", 0.5)), maxRetries: 0, attempts: 4, calls: 1,
		},
		"a turn lost four times is lost repeatedly": {
			agent: fakes.Replies(fakes.Lost()), maxRetries: 20, attempts: 4, failure: domain.LostRepeatedly,
		},
		"losses don't use up retries": {
			agent:      fakes.Replies(fakes.Lost(), model, fakes.Lost(), model, fakes.Lost(), fakes.Answer("both budgets", 0.5)),
			maxRetries: 2, attempts: 6, calls: 3, wasted: 22,
		},
		"failures don't use up losses": {
			agent:      fakes.Replies(model, fakes.Lost(), model, fakes.Lost(), model, fakes.Lost(), fakes.Lost()),
			maxRetries: 20, attempts: 7, failure: domain.LostRepeatedly, calls: 3, wasted: 33,
		},
		"a turn that was out of reach is neither failed nor lost": {
			agent: fakes.Replies(fakes.Unreachable(), fakes.Unreachable(), fakes.Unreachable(), fakes.Unreachable(), fakes.Unreachable(),
				fakes.Lost(), fakes.Lost(), fakes.Lost(), fakes.Answer("found", 0.5)),
			clusters: 6, maxRetries: 0, attempts: 9, calls: 1, wasted: 5, // found by the stop of five turns
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.Ray.Agents["agent-1"] = test.agent
			for i := 1; i < test.clusters; i++ {
				s.environment.Current.Clusters = append(s.environment.Current.Clusters, domain.ClusterState{Name: fmt.Sprintf("other-%d", i)})
			}

			result, err := s.runAndExpectNothingLeft(retries(fakes.Council(1), test.maxRetries))

			require.Len(t, s.Ray.Submitted, test.attempts)
			if test.failure != "" {
				kind, message, details := failed(t, err)
				require.Equal(t, domain.DeliberationFailed, kind)
				require.Contains(t, message, string(test.failure))
				require.Equal(t, test.failure, details.Failures[0].ErrorType)
				require.Equal(t, test.attempts, details.Failures[0].Attempts)
				require.Equal(t, test.calls, details.Usage.LLMCalls)
				require.Equal(t, test.wasted, details.Usage.WastedTokens)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.attempts, result.BestResult.Attempts)
			require.Equal(t, test.calls, result.Usage.LLMCalls)
			require.Equal(t, test.wasted, result.Usage.WastedTokens)
			require.Equal(t, domain.StatusCompleted, result.Status)
		})
	}
}

func TestDeliberation_EachAttemptIsANewTurnOnRay(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelTimeout, true), fakes.Lost(), fakes.Answer("third", 0.5))

	_, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	ids := map[domain.TurnID]bool{}
	for _, in := range s.Ray.Submitted {
		turns := in.TurnsOf(s.Ray.Submitted[0].Brief.Request.Domain())
		for i, ref := range in.Turns {
			require.Equal(t, ref.TurnID, turns[i].ID(), "the activity derives the same id")
			ids[ref.TurnID] = true
		}
	}
	require.Len(t, ids, 4)
	for _, again := range s.Ray.Submitted[1:] {
		require.Nil(t, again.Brief, "a later submit leaves the texts out")
	}
	require.Len(t, s.Ray.Submitted[1].Turns, 1, "only the agent that failed goes to Ray again")
	require.Equal(t, "agent-1", s.Ray.Submitted[1].Turns[0].AgentID)
}

func TestDeliberation_TellsAnAgentThatItsAnswerWasCutOff(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.Truncated, true), fakes.Lost(), fakes.Answer("shorter", 0.5))

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	require.NoError(t, err)
	require.Len(t, s.Ray.Submitted, 3)
	for i, hint := range []domain.FailureKind{"", domain.Truncated, domain.Truncated} {
		in := s.Ray.Submitted[i]
		require.Equal(t, hint, in.Turns[0].Hint)
		require.Equal(t, in.Turns[0].TurnID, in.TurnsOf(s.Ray.Submitted[0].Brief.Request.Domain())[0].ID())
	}
}

func TestDeliberation_WaitsLongerAfterEachFailure(t *testing.T) {
	s := newStage(t)
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelUnavailable, true))
	begin := s.env.Now()

	_, err := s.runAndExpectNothingLeft(retries(fakes.Council(1), 4))

	require.Error(t, err)
	waited := s.env.Now().Sub(begin)
	const delays = 1 + 2 + 4 + 8
	require.InDelta(t, delays, waited.Seconds(), 0.2*delays+0.5)
}

func TestDeliberation_AttemptsThatWereStoppedBeforeTheirSubmitCostNothing(t *testing.T) {
	s := newStage(t)
	request := retries(fakes.Council(1), 0)
	for attempt := range 6 { // as after a reset, which meets the attempts of the run before
		s.Ray.Tombstones = append(s.Ray.Tombstones, turnID(t, s, request, "agent-1", attempt+1))
	}

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.Equal(t, 7, result.BestResult.Attempts)
	require.Equal(t, 1, result.Usage.LLMCalls)
}

func TestDeliberation_ATurnThatWasStoppedBeforeItsSubmitIsTriedAgain(t *testing.T) {
	s := newStage(t)
	request := fakes.Council(2)
	first := turnID(t, s, request, "agent-2", 1)
	s.Ray.Tombstones = []domain.TurnID{first}

	result, err := s.runAndExpectNothingLeft(request)

	require.NoError(t, err)
	require.False(t, result.Degraded)
	require.Equal(t, 2, result.Results[1].Attempts)
	require.Len(t, s.Ray.Awaited, 2, "nobody waits for a turn that doesn't exist")
}

// turnID returns the id of an agent's attempt on Ray.
func turnID(t *testing.T, s *stage, request contract.Request, agent string, attempt int) domain.TurnID {
	t.Helper()
	parsed, err := request.Parse()
	require.NoError(t, err)
	in := contract.SubmitTurnsInput{
		DeliberationID: deliberationID, // the test environment has no original run id
		Turns:          []contract.TurnRef{{Phase: domain.Propose, AgentID: agent, Attempt: attempt}},
	}
	return in.TurnsOf(parsed.Domain)[0].ID()
}

func TestDeliberation_EndsOnceHoweverItsTurnsEnd(t *testing.T) {
	come := rapid.SampledFrom([]fakes.Reply[contract.TurnOutcome]{
		fakes.Answer("good", 0.9), fakes.Answer("fair", 0.2), fakes.Failure(domain.ModelUnavailable, true),
		fakes.Failure(domain.ModelRejected, false), fakes.Lost(), fakes.Unreachable(), fakes.Answer("slow", 0.4).After(40 * time.Second),
		fakes.Failure(domain.Truncated, true).After(20 * time.Second),
		{Delay: fakes.Forever},
	})
	rapid.Check(t, func(r *rapid.T) {
		s := newStage(t)
		agents := rapid.IntRange(1, 4).Draw(r, "agents")
		for i, agent := range fakes.Council(agents).Agents {
			s.Ray.Agents[agent.AgentID] = fakes.Replies(rapid.SliceOfN(come, 1, 6).Draw(r, string(rune('a'+i)))...)
		}
		request := quorum(timeout(fakes.Council(agents), 60), rapid.IntRange(0, agents).Draw(r, "quorum"))
		if rapid.Bool().Draw(r, "cancel") {
			s.cancelAt(rapid.SampledFrom([]time.Duration{0, time.Second, 30 * time.Second}).Draw(r, "when"))
		}
		begin := s.env.Now()

		result, err := s.runAndExpectNothingLeft(request)

		require.LessOrEqual(t, s.env.Now().Sub(begin), 63*time.Second)
		status, kinds := s.status(), s.NATS.Kinds()
		require.True(t, status.Status.Closed())
		require.NotContains(t, kinds[1:], domain.EventStarted)
		require.Equal(t, domain.EventKind(status.Status), kinds[len(kinds)-1], "the last event says how it ended")
		if err == nil {
			require.Equal(t, agents, result.CompletedAgents+result.FailedAgents)
			require.Equal(t, result.Degraded, result.CompletedAgents < agents)
		}
	})
}
