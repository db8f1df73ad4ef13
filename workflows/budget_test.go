package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// withBudget is a request whose council reviews once, without retries and within this many model calls.
func withBudget(request contract.Request, calls int) contract.Request {
	none := 0
	request = withReview(request, 1)
	request.Constraints.MaxRetries, request.Protocol.MaxCalls = &none, &calls
	return request
}

func TestBudget_RanksWhatIsThereWhenItCoversNoFurtherPhase(t *testing.T) {
	for _, test := range []struct {
		calls, made int
		basis       domain.RankingBasis
	}{{3, 3, domain.RankedBySelf}, {8, 6, domain.RankedByPeers}, {9, 9, domain.RankedByPeers}} {
		s := newStage(t)
		s.Ray.PhaseScript = disagreeing
		s.Ray.Agents["agent-2"] = fakes.Replies(fakes.Answer("the best", 0.9))

		result, err := s.runAndExpectNothingLeft(withBudget(fakes.Council(3), test.calls))

		require.NoError(t, err)
		require.Equal(t, domain.StopBudget, result.StopReason)
		require.Equal(t, test.basis, result.RankingBasis)
		require.Equal(t, test.made, result.Usage.LLMCalls)
		require.Len(t, result.Results, 3)
	}
}

func TestBudget_ThatCoversAllChangesNothing(t *testing.T) {
	s := newStage(t)
	s.Ray.PhaseScript = disagreeing

	result, err := s.runAndExpectNothingLeft(withBudget(fakes.Council(3), 12))

	require.NoError(t, err)
	require.Equal(t, domain.StopRounds, result.StopReason)
}

func TestPrices_GiveTheResultItsCost(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Prices = domain.Prices{"qwen": {Prompt: 100, Completion: 1000}, "unused": {Prompt: 1}}
	s.environment.OnRead = func() { s.at(1, func() { s.environment.Current.Prices = nil }) } // a running deliberation keeps its prices

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.NotNil(t, result.Usage.Cost)
	require.InDelta(t, (20*100.0+10*1000)/1e6, *result.Usage.Cost, 1e-9)
}

func TestPrices_NoPriceIsNoCost(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Prices = domain.Prices{"another": {Prompt: 1}}

	result, err := s.runAndExpectNothingLeft(fakes.Council(2))

	require.NoError(t, err)
	require.NotContains(t, encode(t, result), `"cost"`)
}

func TestPrices_AFailedDeliberationAlsoSaysWhatItCost(t *testing.T) {
	s := newStage(t)
	s.environment.Current.Prices = domain.Prices{"qwen": {Prompt: 1, Completion: 1}}
	s.Ray.Agents["agent-1"] = fakes.Replies(fakes.Failure(domain.ModelRejected, false))

	_, err := s.runAndExpectNothingLeft(fakes.Council(1))

	_, _, details := failed(t, err)
	require.NotNil(t, details.Usage.Cost)
	require.InDelta(t, 11/1e6, *details.Usage.Cost, 1e-12)
}

// A slow turn that wasn't seen to stop may go on, and its call counts.
func TestBudget_CountsTheCallOfATurnThatWasNotSeenToStop(t *testing.T) {
	for name, test := range map[string]struct {
		first  fakes.Reply[contract.StopTurnsResult] // to the stop when the council goes on
		budget int
		made   int
	}{
		"Ray doesn't answer": {fakes.Reply[contract.StopTurnsResult]{Err: temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil), Delay: 20 * time.Second}, 4, 3},
		"Ray stops it":       {fakes.Reply[contract.StopTurnsResult]{}, 5, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			aborted := fakes.StoppedByUs
			aborted.Calls = 1
			s.Ray.Agents["agent-3"] = fakes.Script{{Reply: fakes.Never().Reply, AtStop: &aborted}}
			s.Ray.StopReplies = []fakes.Reply[contract.StopTurnsResult]{test.first}
			request := withBudget(timeout(fakes.Council(3), 600), test.budget)
			patience := 10
			request.Protocol.Patience = &patience

			result, err := s.runAndExpectNothingLeft(request)

			require.NoError(t, err)
			require.Equal(t, domain.StopBudget, result.StopReason)
			require.Equal(t, test.made, result.Usage.LLMCalls)
		})
	}
}
