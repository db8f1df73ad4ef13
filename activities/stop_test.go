package activities_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func tryStop(w *testWorker, in contract.StopTurnsInput) (contract.StopTurnsResult, error) {
	w.t.Helper()
	in.DeliberationID, in.Reason, in.AnswerBytes = "deliberation-T-42", "deadline", 1000
	return try[contract.StopTurnsResult](w, workflows.StopTurns.Name(), in)
}

func at(cluster string, ids ...domain.TurnID) []contract.Handle {
	var handles []contract.Handle
	for _, id := range ids {
		handles = append(handles, contract.Handle{TurnID: id, Cluster: cluster, Runner: "runner/a/0", Incarnation: "1"})
	}
	return handles
}

func runs(f *fakeRay, ids ...domain.TurnID) {
	for _, id := range ids {
		f.becomes(domain.Observation{
			TurnID: id, State: domain.RayRunning, Incarnation: "1",
			Usage: domain.Usage{PromptTokens: 20, CompletionTokens: 3, Calls: 1},
		})
	}
}

func TestStopTurns_ReturnsTheOutcomeOfEachTurn(t *testing.T) {
	w := newTestWorker(t)
	runs(w.ray, "t1", "t4")
	w.ray.becomes(completed("t2", `{"proposal":"in time","score":0.5}`))
	w.ray.becomes(domain.Observation{
		TurnID: "t3", State: domain.RayFailed, Incarnation: "1", Failure: domain.NewTurnFailure(domain.ModelTimeout, "too slow", true),
	})
	w.ray.becomes(domain.Observation{TurnID: "t5", State: domain.RayUnknown})

	out, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1", "t2", "t3", "t4", "t5")})

	require.NoError(t, err)
	require.Len(t, out.Outcomes, 5)
	for _, id := range []domain.TurnID{"t1", "t4"} {
		require.Equal(t, contract.TurnOutcome{
			Kind: domain.OutcomeCancelled, Usage: contract.Usage{PromptTokens: 20, CompletionTokens: 3}, Calls: 1,
		}, out.Outcomes[id])
	}
	require.Equal(t, domain.OutcomeCompleted, out.Outcomes["t2"].Kind)
	require.Equal(t, "in time", out.Outcomes["t2"].Proposal)
	require.Equal(t, domain.OutcomeFailed, out.Outcomes["t3"].Kind)
	require.Equal(t, domain.ModelTimeout, out.Outcomes["t3"].ErrorType)
	require.Equal(t, domain.OutcomeLost, out.Outcomes["t5"].Kind)
	require.Empty(t, w.ray.running())
}

func TestStopTurns_AsksEachClusterOnceForItsOwn(t *testing.T) {
	w := newTestWorker(t)
	other := newFakeRay()
	w.with.Clusters["other"] = other
	runs(w.ray, "t1", "t3")
	runs(other, "t2")
	mixed := append(append(at("local", "t1"), at("other", "t2")...), at("local", "t3")...)

	out, err := tryStop(w, contract.StopTurnsInput{Turns: mixed})

	require.NoError(t, err)
	require.Len(t, out.Outcomes, 3)
	require.Equal(t, []domain.StopOrder{order(at("local", "t1", "t3"))}, w.ray.stopped)
	require.Equal(t, []domain.StopOrder{order(at("other", "t2"))}, other.stopped)
}

func order(handles []contract.Handle) domain.StopOrder {
	made := domain.StopOrder{Owner: "namespace-1", Deliberation: "deliberation-T-42", Reason: "deadline"}
	for _, handle := range handles {
		made.Handles = append(made.Handles, handle.Domain())
	}
	return made
}

func TestStopTurns_IsTriedAgainUntilEachTurnIsSeenToHaveEnded(t *testing.T) {
	for name, prepare := range map[string]func(*fakeRay){
		"one still runs":            func(f *fakeRay) { f.deaf["t2"] = true },
		"the answer leaves one out": func(f *fakeRay) { f.silent["t2"] = true },
		"nobody speaks for one": func(f *fakeRay) {
			f.becomes(domain.Observation{TurnID: "t2", State: domain.RayCancelled, Unreachable: "local: runner gone quiet"})
		},
		"the cluster is away": func(f *fakeRay) {
			f.stopErr = &domain.Error{Kind: domain.KindUnreachable, Op: "stop on local", Err: errors.New("refused")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTestWorker(t)
			runs(w.ray, "t1", "t2")
			prepare(w.ray)

			_, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1", "t2")})

			require.False(t, failure(t, err).NonRetryable())
		})
	}
}

func TestStopTurns_ReturnsWhatItKnowsWhenThereIsNoTimeForAnotherTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		runs(w.ray, "t2")
		w.ray.becomes(completed("t1", `{"proposal":"in time","score":0.5}`))
		w.ray.deaf["t2"] = true
		w.ray.stopTakes = workflows.StopTries + time.Second

		out, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1", "t2")})

		require.NoError(t, err)
		require.Equal(t, "in time", out.Outcomes["t1"].Proposal)
		require.NotContains(t, out.Outcomes, domain.TurnID("t2"), "nobody saw it end")
	})
}

func TestStopTurns_AClusterThatRefusesHidesNoAnswersOfOthers(t *testing.T) {
	w := newTestWorker(t)
	other := newFakeRay()
	w.with.Clusters["other"] = other
	other.becomes(completed("t2", `{"proposal":"in time","score":0.5}`))
	w.ray.stopErr = &domain.Error{Kind: domain.KindDenied, Op: "stop on local", Err: errors.New("the token is wrong")}

	out, err := tryStop(w, contract.StopTurnsInput{Turns: append(at("local", "t1"), at("other", "t2")...)})

	require.NoError(t, err, "a retry can't help")
	require.Equal(t, "in time", out.Outcomes["t2"].Proposal)
}

func TestStopTurns_CanBeRepeated(t *testing.T) {
	w := newTestWorker(t)
	runs(w.ray, "t1")
	first, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1")})
	require.NoError(t, err)

	again, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1")})

	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestStopTurns_LeavesAClusterThatItDoesNotKnowToAnotherWorker(t *testing.T) {
	_, err := tryStop(newTestWorker(t), contract.StopTurnsInput{Turns: at("elsewhere", "t1")})

	require.Equal(t, string(domain.KindNoCluster), failure(t, err).Type())
	require.False(t, failure(t, err).NonRetryable())
}
