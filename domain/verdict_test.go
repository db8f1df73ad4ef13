package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

var theHandle = domain.Handle{TurnID: "t1", Cluster: "local", Runner: "runner/b/0", Incarnation: "one"}

func TestJudge(t *testing.T) {
	broke := domain.NewTurnFailure(domain.ModelUnavailable, "503", true)
	denied := domain.NewTurnFailure(domain.RayDenied, "401", false)
	for name, test := range map[string]struct {
		seen domain.Observation
		want domain.Verdict
	}{
		"a queued turn runs": {
			domain.Observation{State: domain.RayQueued, Incarnation: "one"}, domain.Verdict{Kind: domain.VerdictRunning},
		},
		"a running turn runs": {
			domain.Observation{State: domain.RayRunning, Incarnation: "one"}, domain.Verdict{Kind: domain.VerdictRunning},
		},
		"a completed turn succeeded": {
			domain.Observation{State: domain.RayCompleted, Incarnation: "one"}, domain.Verdict{Kind: domain.VerdictSucceeded},
		},
		"a result counts whoever brings it": {
			domain.Observation{State: domain.RayCompleted, Incarnation: "two"}, domain.Verdict{Kind: domain.VerdictSucceeded},
		},
		"a result counts also when somebody else didn't answer": {
			domain.Observation{State: domain.RayCompleted, Unreachable: "timeout"}, domain.Verdict{Kind: domain.VerdictSucceeded},
		},
		"a failed turn failed, and why": {
			domain.Observation{State: domain.RayFailed, Incarnation: "one", Failure: broke}, domain.Verdict{Kind: domain.VerdictFailed, Failure: broke},
		},
		"a stopped turn is lost to us": {
			domain.Observation{State: domain.RayCancelled, Incarnation: "one", Failure: broke},
			domain.Verdict{Kind: domain.VerdictLost, Reason: "stopped on Ray by somebody else"},
		},
		"a turn that its runner doesn't know is lost": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "one"},
			domain.Verdict{Kind: domain.VerdictLost, Reason: "runner runner/b/0 has no such turn"},
		},
		"a turn that another incarnation doesn't know is lost": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "two"},
			domain.Verdict{Kind: domain.VerdictLost, Reason: "runner runner/b/0 was restarted"},
		},
		"a turn whose runner is gone is lost": {
			domain.Observation{State: domain.RayUnknown},
			domain.Verdict{Kind: domain.VerdictLost, Reason: "runner runner/b/0 no longer exists"},
		},
		"silence is no failure": {
			domain.Observation{Unreachable: "connection refused"},
			domain.Verdict{Kind: domain.VerdictUnreachable, Reason: "connection refused"},
		},
		"silence is no loss either": {
			domain.Observation{Unreachable: "connection refused", State: domain.RayUnknown},
			domain.Verdict{Kind: domain.VerdictUnreachable, Reason: "connection refused"},
		},
		"a refused token is a failure": {
			domain.Observation{Denied: "401"}, domain.Verdict{Kind: domain.VerdictFailed, Failure: denied},
		},
		"a refused token outweighs all else": {
			domain.Observation{Denied: "401", Unreachable: "timeout", State: domain.RayCompleted},
			domain.Verdict{Kind: domain.VerdictFailed, Failure: denied},
		},
		"a state that nobody knows isn't judged": {
			domain.Observation{State: "paused", Incarnation: "one"},
			domain.Verdict{Kind: domain.VerdictUnreachable, Reason: `the Ray app speaks of an unknown state "paused"`},
		},
		"nothing seen is nothing known": {
			domain.Observation{}, domain.Verdict{Kind: domain.VerdictUnreachable, Reason: `the Ray app speaks of an unknown state ""`},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, domain.Judge(theHandle, test.seen)) })
	}
}

func anyObservation() *rapid.Generator[domain.Observation] {
	return rapid.Custom(func(t *rapid.T) domain.Observation {
		return domain.Observation{
			TurnID: "t1",
			State: rapid.SampledFrom([]domain.RayState{
				domain.RayQueued, domain.RayRunning, domain.RayCompleted, domain.RayFailed, domain.RayCancelled, domain.RayUnknown, "", "paused",
			}).Draw(t, "state"),
			Incarnation: rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "incarnation"),
			Unreachable: rapid.SampledFrom([]string{"", "timeout"}).Draw(t, "unreachable"),
			Denied:      rapid.SampledFrom([]string{"", "401"}).Draw(t, "denied"),
			Completion:  domain.Completion{Text: rapid.SampledFrom([]string{"", "do it", `{"proposal":"do it","score":1}`}).Draw(t, "text")},
			Failure:     domain.NewTurnFailure(domain.ModelTimeout, "slow", true),
			Usage:       domain.Usage{CompletionTokens: rapid.IntRange(0, 9).Draw(t, "tokens")},
		}
	})
}

func TestJudgeKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := anyObservation().Draw(t, "seen")
		verdict := domain.Judge(theHandle, seen)
		require.Equal(t, verdict, domain.Judge(theHandle, seen))
		switch {
		case seen.Denied != "":
			require.Equal(t, domain.RayDenied, verdict.Failure.Kind())
			require.False(t, verdict.Failure.Retryable())
		case seen.State == domain.RayCompleted:
			require.Equal(t, domain.VerdictSucceeded, verdict.Kind, "a result always counts")
		case seen.Unreachable != "":
			require.Equal(t, domain.VerdictUnreachable, verdict.Kind, "unreachable is never failed and never lost")
		case seen.State == domain.RayUnknown:
			require.Equal(t, domain.VerdictLost, verdict.Kind)
		}
		if verdict.Kind == domain.VerdictLost || verdict.Kind == domain.VerdictUnreachable {
			require.NotEmpty(t, verdict.Reason)
		}
		if verdict.Kind == domain.VerdictFailed {
			require.NotEmpty(t, verdict.Failure.Kind())
		}
	})
}
