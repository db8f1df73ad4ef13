package activities_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

const graceSeconds = 60

// withElsewhere gives the worker a second cluster, which has room or hasn't.
func (w *world) withElsewhere(room bool) {
	w.with.States = func() []domain.ClusterState {
		return []domain.ClusterState{{Name: "local", Up: true, Room: true}, {Name: "other", Up: room, Room: room}}
	}
}

func TestAwaitTurn_TellsThatItsClusterIsGone(t *testing.T) {
	for name, test := range map[string]struct {
		cluster string
		grace   int
		away    time.Duration
		room    bool
		gone    bool
	}{
		"beyond its grace, with room elsewhere": {"local", graceSeconds, 61 * time.Second, true, true},
		"within its grace":                      {"local", graceSeconds, 59 * time.Second, true, false},
		"with nowhere else to go":               {"local", graceSeconds, time.Hour, false, false},
		"a run that has no choice":              {"local", 0, time.Hour, true, false},
		"a cluster that isn't configured here":  {"former", graceSeconds, 61 * time.Second, true, true},
		"the same, within its grace":            {"former", graceSeconds, 59 * time.Second, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.withElsewhere(test.room)
				w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})
				w.before = workflows.AwaitProgress{TurnID: "t1", LastAnswerAt: time.Now().Add(-test.away)}

				out, err := try[workflows.TurnOutcome](w, workflows.AwaitTurn.Name(), workflows.AwaitTurnInput{
					Handle:      workflows.Handle{TurnID: "t1", Cluster: test.cluster, Runner: "runner/a/0", Incarnation: "1"},
					AnswerBytes: 64, GraceSeconds: test.grace,
				})

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

func TestAwaitTurn_ATurnThatWasNeverHeardOfCountsFromItsStart(t *testing.T) {
	w := newWorld(t)
	w.withElsewhere(true)
	w.ray.becomes(domain.Observation{TurnID: "t1", Unreachable: "local: connection refused"})

	_, err := try[workflows.TurnOutcome](w, workflows.AwaitTurn.Name(), workflows.AwaitTurnInput{
		Handle: at("local", "t1")[0], AnswerBytes: 64, GraceSeconds: graceSeconds,
	})

	require.Equal(t, string(domain.KindUnreachable), failure(t, err).Type())
}

func TestSubmitTurns_GivesUpAClusterWithoutRoomWhenThereIsSomeElsewhere(t *testing.T) {
	for name, refusal := range map[string]*domain.Error{
		"it is full": {Kind: domain.KindFull, Op: "submit to local", Err: errors.New("the runner is full")},
		"it is away": {Kind: domain.KindUnreachable, Op: "submit to local", Err: errors.New("connection refused")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.withElsewhere(true)
				for range 1000 {
					w.ray.refusals = append(w.ray.refusals, refusal)
				}
				begun := time.Now()
				in := submission(t, time.Hour)
				in.GraceSeconds = graceSeconds

				out, err := trySubmit(w, in)

				require.NoError(t, err)
				require.True(t, out.Elsewhere)
				require.Equal(t, refusal.Err.Error(), out.Refusal)
				require.InDelta(t, graceSeconds, time.Since(begun).Seconds(), refusedSpread)
			})
		})
	}
}

// refusedSpread is the longest pause between two requests, in seconds.
const refusedSpread = 6

func TestStopTurns_AClusterThatIsAwayHidesNothingOfTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		other := newFakeRay()
		other.stopErr = &domain.Error{Kind: domain.KindUnreachable, Op: "stop on other", Err: errors.New("refused")}
		other.stopTakes = workflows.StopTries + time.Second
		w.with.Clusters["other"] = other
		w.ray.becomes(completed("t1", `{"proposal":"in time","score":0.5}`))
		both := append(at("other", "t2"), at("local", "t1")...)

		out, err := tryStop(w, workflows.StopTurnsInput{Stop: both})

		require.NoError(t, err, "there is no time for another try")
		require.Len(t, out.Outcomes, 1)
		require.Equal(t, "in time", out.Outcomes["t1"].Proposal)

		_, err = tryStop(w, workflows.StopTurnsInput{Stop: both, UntilSeen: true})

		require.False(t, failure(t, err).NonRetryable(), "there is always time for another try")
	})
}
