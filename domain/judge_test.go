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
	for name, test := range map[string]struct {
		seen domain.Observation
		want domain.Outcome
	}{
		"a queued turn runs": {
			domain.Observation{State: domain.RayQueued, Incarnation: "one"}, domain.Outcome{Kind: domain.OutcomeRunning},
		},
		"a running turn runs": {
			domain.Observation{State: domain.RayRunning, Incarnation: "one"}, domain.Outcome{Kind: domain.OutcomeRunning},
		},
		"a completed turn succeeded": {
			domain.Observation{State: domain.RayCompleted, Incarnation: "one"}, domain.Outcome{Kind: domain.OutcomeCompleted},
		},
		"a result counts whoever brings it": {
			domain.Observation{State: domain.RayCompleted, Incarnation: "two"}, domain.Outcome{Kind: domain.OutcomeCompleted},
		},
		"a result counts also when somebody else didn't answer": {
			domain.Observation{State: domain.RayCompleted, Unreachable: "timeout"}, domain.Outcome{Kind: domain.OutcomeCompleted},
		},
		"a failed turn failed, and why": {
			domain.Observation{State: domain.RayFailed, Incarnation: "one", Failure: broke}, domain.Outcome{Kind: domain.OutcomeFailed, Failure: broke},
		},
		"a stopped turn is lost to us": {
			domain.Observation{State: domain.RayCancelled, Incarnation: "one", Failure: broke},
			domain.Outcome{Kind: domain.OutcomeLost, Reason: "stopped on Ray by somebody else"},
		},
		"a turn that its runner doesn't know is lost": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "one"},
			domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner runner/b/0 has no such turn"},
		},
		"a turn that another incarnation doesn't know is lost": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "two"},
			domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner runner/b/0 was restarted"},
		},
		"a turn whose runner is gone is lost": {
			domain.Observation{State: domain.RayUnknown},
			domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner runner/b/0 no longer exists"},
		},
		"silence is no failure": {
			domain.Observation{Unreachable: "connection refused"},
			domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: "connection refused"},
		},
		"silence is no loss either": {
			domain.Observation{Unreachable: "connection refused", State: domain.RayUnknown},
			domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: "connection refused"},
		},
		"a state that nobody knows isn't judged": {
			domain.Observation{State: "paused", Incarnation: "one"},
			domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: `the Ray app speaks of an unknown state "paused"`},
		},
		"nothing seen is nothing known": {
			domain.Observation{}, domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: `the Ray app speaks of an unknown state ""`},
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
			Completion:  domain.Completion{Text: rapid.SampledFrom([]string{"", "do it", `{"proposal":"do it","score":1}`}).Draw(t, "text")},
			Failure:     domain.NewTurnFailure(domain.ModelTimeout, "slow", true),
			Usage:       domain.Usage{CompletionTokens: rapid.IntRange(0, 9).Draw(t, "tokens")},
		}
	})
}

func TestJudgeKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := anyObservation().Draw(t, "seen")
		outcome := domain.Judge(theHandle, seen)
		require.Equal(t, outcome, domain.Judge(theHandle, seen))
		switch {
		case seen.State == domain.RayCompleted:
			require.Equal(t, domain.OutcomeCompleted, outcome.Kind, "a result counts in every case")
		case seen.Unreachable != "":
			require.Equal(t, domain.OutcomeUnreachable, outcome.Kind, "unreachable is never failed and never lost")
		case seen.State == domain.RayUnknown:
			require.Equal(t, domain.OutcomeLost, outcome.Kind)
		}
		if outcome.Kind == domain.OutcomeLost || outcome.Kind == domain.OutcomeUnreachable {
			require.NotEmpty(t, outcome.Reason)
		}
		if outcome.Kind == domain.OutcomeFailed {
			require.NotEmpty(t, outcome.Failure.Kind())
		}
	})
}
