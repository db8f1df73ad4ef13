package activities_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func full(after time.Duration) error {
	return &domain.Error{Kind: domain.KindFull, Op: "submit to local", RetryAfter: after, Err: errors.New("the runner is full")}
}

func trySubmit(w *testWorker, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	w.t.Helper()
	return try[contract.SubmitTurnsResult](w, workflows.SubmitTurns.Name(), in)
}

func TestSubmitTurns_SubmitsTheRecordedTurnsTogether(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Minute)

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Empty(t, out.Refusal)
	require.Len(t, out.Handles, 2)
	for i, ref := range in.Turns {
		require.Equal(t, contract.Handle{TurnID: ref.TurnID, Cluster: "local", Runner: "runner/a/0", Incarnation: "1"}, out.Handles[i])
	}
	require.Len(t, w.ray.submitted, 1)
	given := w.ray.submitted[0]
	require.Equal(t, "namespace-1", given.Owner)
	require.Equal(t, "deliberation-T-42", given.Deliberation)
	require.Equal(t, "T-42", given.TaskID)
	require.Equal(t, 5*time.Minute, given.Run)
	require.Equal(t, 10*time.Minute, given.Keep)
	require.Equal(t, in.Turns[0].TurnID, given.Asks[0].TurnID)
	require.Equal(t, in.Turns[1].TurnID, given.Asks[1].TurnID)
}

func TestSubmitTurns_AttachesToTurnsThatRunAlready(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Minute)
	first, err := trySubmit(w, in)
	require.NoError(t, err)

	again, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Len(t, w.ray.running(), 2)
}

// Another gateway of the app may have sent the first ones to any runner.
func TestSubmitTurns_SaysThatASubmitWithoutAnAnswerIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unanswered := &domain.Error{Kind: domain.KindUnavailable, Op: "submit to local", Err: errors.New("503 runner_unavailable")}
		w := newTestWorker(t)
		w.ray.refusals = []error{full(0), unanswered, full(0)}
		in := submission(t, time.Hour)

		_, err := trySubmit(w, in)
		require.NoError(t, err)
		in.Repeated = true
		_, err = trySubmit(w, in)
		require.NoError(t, err)

		repeated := domain.Each(w.ray.submitted, func(s domain.Submission) bool { return s.Repeated })
		require.Equal(t, []bool{false, false, true, true, true}, repeated)
	})
}

func TestSubmitTurns_SaysThatARunRepeatsWhatItSubmittedBeforeItsReset(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Hour)
	in.OriginalRunID = "run-1"
	for i, turn := range in.TurnsOf(in.Brief.Request.Domain()) {
		in.Turns[i] = contract.TurnRefOf(turn)
	}

	_, err := trySubmit(w, in)

	require.NoError(t, err)
	require.True(t, w.ray.submitted[0].Repeated)
}

func TestSubmitTurns_NamesTheTurnsThatWereStoppedBeforeTheSubmit(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Minute)
	w.ray.buried[in.Turns[0].TurnID] = true

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Equal(t, []domain.TurnID{in.Turns[0].TurnID}, out.Cancelled)
	require.Len(t, out.Handles, 1)
	require.Equal(t, in.Turns[1].TurnID, out.Handles[0].TurnID)
}

func TestSubmitTurns_SubmitsALaterAttemptOfOneAgent(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Minute)
	turn := in.TurnsOf(in.Brief.Request.Domain())[1].WithAttempt(3)
	w.with.Temporal = &pastSubmits{inputs: []contract.SubmitTurnsInput{in}}
	in.Brief, in.Turns = nil, []contract.TurnRef{contract.TurnRefOf(turn)}

	out, err := trySubmit(w, in)

	require.NoError(t, err)
	require.Len(t, out.Handles, 1)
	require.Equal(t, turn.ID(), out.Handles[0].TurnID)
	require.Contains(t, w.ray.submitted[0].Common[domain.CommonTask], "Add rate limiting", "the texts are those of the run's first submit")
}

func TestSubmitTurns_IsTriedAgainWhenTheRequestCannotBeRead(t *testing.T) {
	for name, past := range map[string]*pastSubmits{
		"Temporal is away":       {err: errors.New("connection refused")},
		"no submit is there yet": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWorker(t)
			w.with.Temporal = past
			in := submission(t, time.Minute)
			in.Brief = nil

			_, err := trySubmit(w, in)

			require.False(t, failure(t, err).NonRetryable())
			require.Zero(t, w.ray.submits())
		})
	}
}

func TestSubmitTurns_RefusesTurnsWhoseIDsAreNotTheRecordedOnes(t *testing.T) {
	for name, change := range map[string]func(*contract.SubmitTurnsInput){
		"another id":                     func(in *contract.SubmitTurnsInput) { in.Turns[1].TurnID = "tother" },
		"another attempt":                func(in *contract.SubmitTurnsInput) { in.Turns[1].Attempt = 2 },
		"another run":                    func(in *contract.SubmitTurnsInput) { in.OriginalRunID = "run-2" },
		"an agent that isn't there":      func(in *contract.SubmitTurnsInput) { in.Turns[1].AgentID = "nobody" },
		"an agent that isn't there last": func(in *contract.SubmitTurnsInput) { in.Turns[0].AgentID = "nobody" },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWorker(t)
			in := submission(t, time.Minute)
			change(&in)

			_, err := trySubmit(w, in)

			failed := failure(t, err)
			require.Equal(t, string(domain.KindRejected), failed.Type())
			require.True(t, failed.NonRetryable())
			require.Contains(t, failed.Message(), "has another id here")
			require.Zero(t, w.ray.submits())
		})
	}
}

func TestSubmitTurns_WaitsForRoomAsLongAsItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		in := submission(t, time.Hour)
		w.ray.refusals = []error{full(3 * time.Second), fmt.Errorf("once more: %w", full(time.Minute))}
		begun := time.Now()

		out, err := trySubmit(w, in)

		require.NoError(t, err)
		require.Len(t, out.Handles, 2)
		require.Equal(t, 3, w.ray.submits())
		require.Equal(t, w.ray.submitted[0], w.ray.submitted[2])
		require.Equal(t, 63*time.Second, time.Since(begun)) // as the refusals ask for
		progress := contract.SubmitProgress{State: "queued", Cluster: "local", Refusal: "the runner is full", Since: begun.UTC()}
		require.Equal(t, slices.Repeat([]any{progress}, 7), w.beats.Recorded, "and every 10 s meanwhile")
	})
}

func TestSubmitTurns_AsksForRoomEveryFiveSecondsAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		for range 50 {
			w.ray.refusals = append(w.ray.refusals, full(0))
		}
		begun := time.Now()

		_, err := trySubmit(w, submission(t, time.Hour))

		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(begun), 50*5*time.Second)
		require.Len(t, w.beats.Recorded, 50)
	})
}

func TestSubmitTurns_GivesTheRefusalAsItsResultWhenTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		for range 100 {
			w.ray.refusals = append(w.ray.refusals, full(2*time.Second))
		}
		begun := time.Now()

		out, err := trySubmit(w, submission(t, 30*time.Second))

		require.NoError(t, err)
		require.Equal(t, contract.SubmitTurnsResult{Refusal: "the runner is full"}, out)
		require.LessOrEqual(t, time.Since(begun), 30*time.Second)
		require.Greater(t, time.Since(begun), 20*time.Second)
	})
}

func TestSubmitTurns_TriesOnceEvenWhenTimeIsUpAlready(t *testing.T) {
	w := newTestWorker(t)

	out, err := trySubmit(w, submission(t, -time.Hour))

	require.NoError(t, err)
	require.Len(t, out.Handles, 2)
}

func TestSubmitTurns_TakesARefusalWithoutAReason(t *testing.T) {
	w := newTestWorker(t)
	w.ray.refusals = []error{&domain.Error{Kind: domain.KindFull, Op: "submit to local"}}

	out, err := trySubmit(w, submission(t, 0))

	require.NoError(t, err)
	require.Equal(t, "submit to local: RayFull", out.Refusal)
}

func TestSubmitTurns_EndsImmediatelyWhenARetryCannotHelp(t *testing.T) {
	for _, kind := range []domain.ErrorKind{domain.KindDenied, domain.KindRejected, domain.KindURL} {
		t.Run(string(kind), func(t *testing.T) {
			w := newTestWorker(t)
			w.ray.refusals = []error{fmt.Errorf("said: %w", &domain.Error{Kind: kind, Op: "submit", Err: errors.New("no")})}

			_, err := trySubmit(w, submission(t, time.Hour))

			failed := failure(t, err)
			require.Equal(t, string(kind), failed.Type())
			require.True(t, failed.NonRetryable())
			require.Equal(t, 1, w.ray.submits())
			require.Empty(t, w.beats.Recorded)
		})
	}
}

func TestSubmitTurns_AsksAgainWhenNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.hangs = true
		begun := time.Now()

		out, err := trySubmit(w, submission(t, 20*time.Second))

		require.NoError(t, err)
		require.Equal(t, "no answer within 15s", out.Refusal)
		require.GreaterOrEqual(t, time.Since(begun), 15*time.Second)
		require.Less(t, time.Since(begun), 40*time.Second) // each of at most two tries has 15 s
		require.NotEmpty(t, w.beats.Recorded)
	})
}

func TestSubmitTurns_LeavesAClusterThatItDoesNotKnowToAnotherWorker(t *testing.T) {
	w := newTestWorker(t)
	in := submission(t, time.Minute)
	in.Cluster = "elsewhere"

	_, err := trySubmit(w, in)

	failed := failure(t, err)
	require.Equal(t, string(domain.KindNoCluster), failed.Type())
	require.False(t, failed.NonRetryable())
	require.Equal(t, 5*time.Second, failed.NextRetryDelay())
	require.Contains(t, failed.Message(), "elsewhere")
}
