package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func reviewedSpec(agents int, review string, rounds int) domain.RequestSpec {
	spec := specOf(agents)
	spec.Protocol.Review, spec.Protocol.Rounds = review, rounds
	if review == domain.ReviewJudge {
		spec.Protocol.JudgeModel = "large"
	}
	return spec
}

func TestMostCallsAreSaidBeforeTheStart(t *testing.T) {
	for _, test := range []struct {
		spec  domain.RequestSpec
		calls int
		words string
	}{
		{specOf(1), 1, "at most 1 model call: 1 proposal"},
		{specOf(3), 3, "at most 3 model calls: 3 proposals"},
		{reviewedSpec(2, domain.ReviewNone, 3), 2, "at most 2 model calls: 2 proposals"},
		{reviewedSpec(1, domain.ReviewJudge, 1), 1, "at most 1 model call: 1 proposal"},
		{reviewedSpec(3, domain.ReviewPeer, 0), 6, "at most 6 model calls: 3 proposals, then up to 1 review each"},
		{reviewedSpec(3, domain.ReviewPeer, 1), 12, "at most 12 model calls: 3 proposals, then up to 2 reviews and 1 revision each"},
		{reviewedSpec(5, domain.ReviewPeer, 3), 40, "at most 40 model calls: 5 proposals, then up to 4 reviews and 3 revisions each"},
		{reviewedSpec(3, domain.ReviewJudge, 1), 8, "at most 8 model calls: 3 proposals, then up to 2 reviews by the judge and 1 revision each"},
	} {
		request := requestOf(t, test.spec)
		require.Equal(t, test.calls, request.MostCalls())
		require.Equal(t, test.words, request.CallsInWords())
	}
}

func TestTheForecastGrowsWithWhatReviewersRead(t *testing.T) {
	none := requestOf(t, specOf(3)).Forecast()
	require.Equal(t, 3*2048, none.CompletionTokens)
	require.Positive(t, none.PromptTokens)

	once := requestOf(t, reviewedSpec(3, domain.ReviewPeer, 0)).Forecast()
	require.Equal(t, 6*2048, once.CompletionTokens)
	require.Greater(t, once.PromptTokens, none.PromptTokens+3*2*2048, "each of three reviewers reads two proposals")

	twice := requestOf(t, reviewedSpec(3, domain.ReviewPeer, 1)).Forecast()
	require.Greater(t, twice.PromptTokens, once.PromptTokens+3*4*2048+3*3*2048, "a second review reads both versions")
	require.Equal(t, twice.PromptTokens+twice.CompletionTokens, twice.Tokens())
}
