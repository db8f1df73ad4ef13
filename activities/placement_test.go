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

const (
	graceSeconds = 60
	standLook    = 2 // seconds between two looks at a cluster that is away, plus a random part of as many
)

// withStates gives the worker a second cluster, and gives the first one a state and its duration.
func (w *testWorker) withStates(local domain.ClusterState, ago time.Duration, other bool) {
	local.Name, local.UpSince, local.RoomSince = "local", time.Now().Add(-ago), time.Now().Add(-ago)
	w.with.States = func() []domain.ClusterState {
		return []domain.ClusterState{local, {Name: "other", Up: other, Room: other}}
	}
}

var (
	away   = domain.ClusterState{}
	filled = domain.ClusterState{Up: true}
	taking = domain.ClusterState{Up: true, Room: true}
)

func TestAwaitTurn_ReportsThatItsClusterIsGone(t *testing.T) {
	for name, test := range map[string]struct {
		cluster string
		state   domain.ClusterState
		ago     time.Duration
		grace   int
		other   bool
		gone    bool
	}{
		"away beyond its grace, and another one answers": {"local", away, 61 * time.Second, graceSeconds, true, true},
		"within its grace":                        {"local", away, 59 * time.Second, graceSeconds, true, false},
		"with nowhere else to go":                 {"local", away, time.Hour, graceSeconds, false, false},
		"a run that has no choice":                {"local", away, time.Hour, 0, true, false},
		"full, which is no matter to what it has": {"local", filled, time.Hour, graceSeconds, true, false},
		"well, and only this turn isn't answered": {"local", taking, time.Hour, graceSeconds, true, false},
		"a cluster that isn't configured here":    {"former", taking, time.Hour, graceSeconds, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				w.withStates(test.state, test.ago, test.other)
				w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})

				out, err := awaitWithin(w, test.cluster, test.grace)

				if !test.gone {
					require.False(t, failure(t, err).NonRetryable(), "the same turn is polled again")
					return
				}
				require.NoError(t, err)
				require.Equal(t, domain.OutcomeUnreachable, out.Kind)
				require.NotEmpty(t, out.Message)
			})
		})
	}
}

func awaitWithin(w *testWorker, cluster string, grace int) (contract.TurnOutcome, error) {
	return try[contract.TurnOutcome](w, workflows.AwaitTurn.Name(), contract.AwaitTurnInput{
		Handle:      contract.Handle{TurnID: "t1", Cluster: cluster, Runner: "runner/a/0", Incarnation: "1"},
		AnswerBytes: 64, GraceSeconds: grace,
	})
}

func TestAwaitTurn_WaitsForAClusterThatIsKnownToBeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.before = contract.AwaitProgress{TurnID: "t1", State: "running", Unanswered: 2}
		begun := time.Now()
		w.with.States = func() []domain.ClusterState {
			return []domain.ClusterState{{Name: "local", Up: time.Since(begun) > 40*time.Second}}
		}
		w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})
		time.AfterFunc(40*time.Second, func() { w.ray.becomes(completed("t1", "text")) })

		out, err := awaitWithin(w, "local", 0)

		require.NoError(t, err)
		require.Equal(t, "text", out.Proposal)
		require.Len(t, w.ray.polled, 2, "one poll that failed, and one after the cluster is back")
		require.Equal(t, contract.AwaitProgress{
			TurnID: "t1", State: "running", Trouble: "local: connection refused", Unanswered: 3,
		}, w.beats.Recorded[0])
		require.InDelta(t, 40, time.Since(begun).Seconds(), 2*standLook)
	})
}

func TestAwaitTurn_LeavesAClusterThatStaysAwayToTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.withStates(away, 0, false)
		w.before = contract.AwaitProgress{TurnID: "t1", Unanswered: 2}
		w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})
		begun := time.Now()

		_, err := awaitWithin(w, "local", 0)

		require.Equal(t, "poll t1: local: connection refused", failure(t, err).Message())
		require.InDelta(t, time.Minute.Seconds(), time.Since(begun).Seconds(), 2*standLook)
		require.Len(t, w.ray.polled, 1)
		last, _ := w.beats.Recorded[len(w.beats.Recorded)-1].(contract.AwaitProgress)
		require.Zero(t, last.Unanswered, "another worker may reach it: the next attempts are quick")
	})
}

func TestAwaitTurn_LetsOtherWorkersTryFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.withStates(away, 0, false)
		w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})
		begun := time.Now()

		_, err := awaitWithin(w, "local", 0)

		require.Equal(t, "poll t1: local: connection refused", failure(t, err).Message())
		require.Zero(t, time.Since(begun))
	})
}

func TestSubmitTurns_GivesUpAClusterThatTakesNothingWhenAnotherOneWould(t *testing.T) {
	for name, test := range map[string]struct {
		state domain.ClusterState
		kind  domain.ErrorKind
		moves bool
	}{
		"it is full":                        {filled, domain.KindFull, true},
		"it is away":                        {away, domain.KindUnreachable, true},
		"it has room, and its model hasn't": {taking, domain.KindFull, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTestWorker(t)
				w.withStates(test.state, 50*time.Second, true)
				for range 1000 {
					w.ray.refusals = append(w.ray.refusals, &domain.Error{Kind: test.kind, Op: "submit to local", Err: errors.New("not now")})
				}
				begun := time.Now()
				in := submission(t, 2*time.Minute)
				in.GraceSeconds = graceSeconds

				out, err := trySubmit(w, in)

				require.NoError(t, err)
				require.Equal(t, test.moves, out.Elsewhere)
				require.Equal(t, "not now", out.Refusal)
				took := 2 * time.Minute
				if test.moves {
					took = 10 * time.Second // the rest of the grace
				}
				require.InDelta(t, took.Seconds(), time.Since(begun).Seconds(), refusedSpread)
			})
		})
	}
}

func TestSubmitTurns_ALongTimeThatRayNamesDoesNotEndTheQueueEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.ray.refusals = []error{full(time.Minute)}
		begun := time.Now()

		out, err := trySubmit(w, submission(t, 30*time.Second))

		require.NoError(t, err)
		require.Len(t, out.Handles, 2, "it is asked once more when the time is over")
		require.Equal(t, 30*time.Second, time.Since(begun))
	})
}

// refusedSpread is the longest pause between two requests, in seconds.
const refusedSpread = 6

func TestStopTurns_AClusterThatIsAwayHidesNothingOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		other := newFakeRay()
		other.stopErr = &domain.Error{Kind: domain.KindUnreachable, Op: "stop on other", Err: errors.New("refused")}
		other.stopTakes = workflows.StopTries + time.Second
		w.with.Clusters["other"] = other
		w.ray.becomes(completed("t1", `{"proposal":"in time","score":0.5}`))
		both := append(at("other", "t2"), at("local", "t1")...)

		out, err := tryStop(w, contract.StopTurnsInput{Turns: both})

		require.NoError(t, err, "there is no time for another try")
		require.Len(t, out.Outcomes, 1)
		require.Equal(t, "in time", out.Outcomes["t1"].Proposal)

		other.stopTakes = 0
		out, err = tryStop(w, contract.StopTurnsInput{Turns: both, AllowPartial: true})

		require.NoError(t, err, "what is known is returned")
		require.Len(t, out.Outcomes, 1)
	})
}

func TestStopTurns_DoesNotAskAClusterThatIsAwayWhenItCanWait(t *testing.T) {
	w := newTestWorker(t)
	w.withStates(away, 0, true)
	runs(w.ray, "t1")

	_, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1"), AllowPartial: true})

	require.False(t, failure(t, err).NonRetryable())
	require.Empty(t, w.ray.stopped)
	out, err := tryStop(w, contract.StopTurnsInput{Turns: at("local", "t1")})
	require.NoError(t, err, "another try may reach it")
	require.Len(t, out.Outcomes, 1)
}
