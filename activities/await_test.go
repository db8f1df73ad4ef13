package activities_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// Each test runs in a bubble of its own. The bubble fails the test if a goroutine outlives it.

func tryAwait(w *testWorker, cluster string) (contract.TurnOutcome, error) {
	w.t.Helper()
	return try[contract.TurnOutcome](w, workflows.AwaitTurn.Name(), contract.AwaitTurnInput{
		Handle:      contract.Handle{TurnID: "t1", Cluster: cluster, Runner: "runner/a/0", Incarnation: "1"},
		AnswerBytes: 64,
	})
}

func running(tokens int) domain.Observation {
	return domain.Observation{
		TurnID: "t1", State: domain.RayRunning, Incarnation: "1", Progress: domain.Progress{Tokens: tokens},
	}
}

func TestAwaitTurn_GivesTheAnswerOfATurnThatCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(running(0))
		begun := time.Now()
		time.AfterFunc(700*time.Millisecond, func() {
			w.ray.becomes(completed("t1", `{"proposal":"a token bucket","reasoning":"because","score":0.8}`))
		})

		out, err := tryAwait(w, "local")

		require.NoError(t, err)
		require.Equal(t, contract.TurnOutcome{
			Kind: domain.OutcomeCompleted, Proposal: "a token bucket", Reasoning: "because", Score: 0.8,
			Usage: contract.Usage{PromptTokens: 20, CompletionTokens: 10}, Calls: 1, DurationMS: 1500,
			Metadata: map[string]string{"submission_id": "t1", "cluster": "local", "finish_reason": "stop"},
		}, out)
		require.Equal(t, 700*time.Millisecond, time.Since(begun))
	})
}

func TestAwaitTurn_CutsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(completed("t1", `{"proposal":"`+strings.Repeat("<", 100)+`","score":1}`))

		out, err := tryAwait(w, "local")

		require.NoError(t, err)
		require.Equal(t, strings.Repeat("<", 10), out.Proposal) // each takes 6 of the 64 bytes
		require.Equal(t, "true", out.Metadata["truncated"])
	})
}

func TestAwaitTurn_ReturnsTheEndOfATurnAsAValue(t *testing.T) {
	for name, c := range map[string]struct {
		seen    domain.Observation
		kind    domain.OutcomeKind
		error   domain.FailureKind
		message string
	}{
		"a model call that failed": {
			domain.Observation{State: domain.RayFailed, Failure: domain.NewTurnFailure(domain.ModelUnavailable, "503", true)},
			domain.OutcomeFailed, domain.ModelUnavailable, "503",
		},
		"an answer without a proposal": {completed("t1", `{"proposal":" "}`), domain.OutcomeFailed, domain.InvalidOutput, "the answer has an empty proposal"},
		"a runner that is gone":        {domain.Observation{State: domain.RayUnknown}, domain.OutcomeLost, "", "runner runner/a/0 no longer exists"},
		"a runner that was restarted": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "2"}, domain.OutcomeLost, "", "runner runner/a/0 was restarted",
		},
		"a turn that somebody stopped": {domain.Observation{State: domain.RayCancelled}, domain.OutcomeLost, "", "stopped on Ray by somebody else"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				c.seen.TurnID = "t1"
				w.ray.becomes(c.seen)

				out, err := tryAwait(w, "local")

				require.NoError(t, err)
				require.Equal(t, c.kind, out.Kind)
				require.Equal(t, c.error, out.ErrorType)
				require.Equal(t, c.message, out.Message)
			})
		})
	}
}

func TestAwaitTurn_LeavesAClusterThatIsAwayToTemporalsRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})

		_, err := tryAwait(w, "local")

		failed := failure(t, err)
		require.Equal(t, string(domain.KindUnreachable), failed.Type())
		require.False(t, failed.NonRetryable())
		require.Zero(t, failed.NextRetryDelay()) // the delay is that of the retry policy
		require.Equal(t, "poll t1: local: connection refused", failed.Message())
	})
}

func TestAwaitTurn_LeavesAnAppAloneForAsLongAsItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: answered 503 overloaded", RetryAfter: 7 * time.Second})

		_, err := tryAwait(w, "local")

		require.Equal(t, 7*time.Second, failure(t, err).NextRetryDelay())
	})
}

func TestAwaitTurn_ShowsHowFarTheTurnIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(running(0))
		begun := time.Now()
		time.AfterFunc(10*time.Second, func() { w.ray.becomes(running(57)) })
		time.AfterFunc(20*time.Second, func() { w.ray.becomes(completed("t1", "text")) })

		out, err := tryAwait(w, "local")

		require.NoError(t, err)
		require.Equal(t, "text", out.Proposal)
		require.Equal(t, []time.Duration{2 * time.Second, 12 * time.Second, 12 * time.Second}, w.ray.polled)
		require.Equal(t, []any{
			contract.AwaitProgress{TurnID: "t1", Polls: 1, State: "running", LastAnswerAt: begun.Add(2 * time.Second).UTC()},
			contract.AwaitProgress{TurnID: "t1", Polls: 2, State: "running", LastAnswerAt: begun.Add(14 * time.Second).UTC(), Tokens: 57},
		}, w.beats.Recorded)
	})
}

func TestAwaitTurn_ShowsAModelServerThatPutsCallsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		waiting := running(0)
		waiting.Waiting = domain.Waiting{Reason: "model m puts calls off: 503: loading", Status: 503}
		w.ray.becomes(waiting)
		time.AfterFunc(3*time.Second, func() { w.ray.becomes(running(1)) })
		time.AfterFunc(20*time.Second, func() { w.ray.becomes(completed("t1", "an answer")) })

		_, err := tryAwait(w, "local")

		require.NoError(t, err)
		require.Len(t, w.beats.Recorded, 2)
		shown, _ := w.beats.Recorded[0].(contract.AwaitProgress)
		require.Contains(t, shown.Trouble, "model m puts calls off: 503: loading")
		shown, _ = w.beats.Recorded[1].(contract.AwaitProgress)
		require.Empty(t, shown.Trouble)
	})
}

func TestAwaitTurn_HandsOverWhenTheWorkerStops(t *testing.T) {
	for name, after := range map[string]time.Duration{
		"before it begins":  0,
		"in the first poll": time.Second,
		"in a later poll":   9 * time.Second,
		"between two polls": 17 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				w.ray.becomes(running(0))
				begun := time.Now()
				if after == 0 {
					close(w.stopWorker)
				} else {
					time.AfterFunc(after, func() { close(w.stopWorker) })
				}

				_, err := tryAwait(w, "local")

				requireHandOver(t, err)
				require.Equal(t, after, time.Since(begun))
				require.Equal(t, []domain.TurnID{"t1"}, w.ray.running())
			})
		})
	}
}

func TestAwaitTurn_EndsWhenItIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.becomes(running(0))
		time.AfterFunc(5*time.Second, w.cancel)

		_, err := tryAwait(w, "local")

		require.True(t, temporal.IsCanceledError(err), "%v", err)
		require.Equal(t, []domain.TurnID{"t1"}, w.ray.running()) // the wait doesn't stop it
	})
}

func TestAwaitTurn_IsTriedAgainAfterAnUnknownError(t *testing.T) {
	w := newTestWorker(t)
	w.ray.awaitErr = errors.New("surprise")

	_, err := tryAwait(w, "local")

	failed := failure(t, err)
	require.Equal(t, "Internal", failed.Type())
	require.False(t, failed.NonRetryable())
}

func TestAwaitTurn_LeavesAClusterThatItDoesNotKnowToAnotherWorker(t *testing.T) {
	w := newTestWorker(t)

	_, err := tryAwait(w, "elsewhere")

	failed := failure(t, err)
	require.Equal(t, string(domain.KindNoCluster), failed.Type())
	require.False(t, failed.NonRetryable())
}

func TestAwaitTurn_DoesNotFloodAnAppThatAnswersImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.hasty = true
		w.ray.becomes(running(0))
		time.AfterFunc(10500*time.Millisecond, func() { w.ray.becomes(completed("t1", "done")) })

		_, err := tryAwait(w, "local")

		require.NoError(t, err)
		require.Len(t, w.ray.polled, 12, "a poll a second")
	})
}

func TestAwaitTurn_GoesOnWithTheProgressOfTheWorkerBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.before = contract.AwaitProgress{TurnID: "t1", Polls: 40, State: "running"}
		w.ray.becomes(running(0))
		time.AfterFunc(5*time.Second, func() { w.ray.becomes(completed("t1", "done")) })

		_, err := tryAwait(w, "local")

		require.NoError(t, err)
		shown, ok := w.beats.Recorded[0].(contract.AwaitProgress)
		require.True(t, ok)
		require.Equal(t, 41, shown.Polls)
	})
}
