package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestScoresInUsualNotationsAreRead(t *testing.T) {
	for written, want := range map[string]struct {
		score float64
		parse string
	}{
		`0.8`: {0.8, ""}, `8e-1`: {0.8, ""}, `1`: {1, ""}, `-0`: {0, ""},
		`"0.8"`: {0.8, "score_text"}, `" .8 "`: {0.8, "score_text"}, `"1"`: {1, "score_text"}, `"+0.5"`: {0.5, "score_text"},
		`"0.8 (high)"`: {0.8, "score_text"}, `"0.8 - quite good"`: {0.8, "score_text"}, `"Score: 0.8"`: {0.8, "score_text"},
		`"~0.8"`: {0.8, "score_text"}, `"0.8."`: {0.8, "score_text"}, `"0.8, as it is simple"`: {0.8, "score_text"},
		`"85%"`: {0.85, "score_percent"}, `"85 %"`: {0.85, "score_percent"}, `"85 percent"`: {0.85, "score_percent"},
		`"100%"`: {1, "score_percent"}, `"0%"`: {0, "score_percent"}, `"85% (high)"`: {0.85, "score_percent"},
		`"8/10"`: {0.8, "score_fraction"}, `"8 / 10"`: {0.8, "score_fraction"}, `"8 out of 10"`: {0.8, "score_fraction"},
		`"4 of 5"`: {0.8, "score_fraction"}, `"80/100 (very good)"`: {0.8, "score_fraction"}, `"0.8/1.0"`: {0.8, "score_fraction"},
		`"**0.8**"`: {0.8, "score_text"}, "\"`0.8`\"": {0.8, "score_text"}, `"$0.8$"`: {0.8, "score_text"}, `"<0.8>"`: {0.8, "score_text"},
		`"High (0.8)"`: {0.8, "score_text"}, `"confidence = 0.8"`: {0.8, "score_text"}, `"**Score**: 0.8"`: {0.8, "score_text"}, `"０．８"`: {0.8, "score_text"},
		`"very good: 8/10"`: {0.8, "score_fraction"}, `"4/5 stars"`: {0.8, "score_fraction"}, `"8 von 10"`: {0.8, "score_fraction"}, `"８／１０"`: {0.8, "score_fraction"},
		`"８５％"`: {0.85, "score_percent"}, `"confident: 85%"`: {0.85, "score_percent"}, `"0，8"`: {0.8, "score_comma"},
		`"0,8"`: {0.8, "score_comma"}, `"0,825"`: {0.825, "score_comma"}, `"1,0"`: {1, "score_comma"},
	} {
		answer, _, ok := domain.ReadAnswer(said(`{"proposal":"p","score":`+written+`}`), decodeJSON)
		require.True(t, ok)
		require.InDelta(t, want.score, answer.Score(), 1e-9, written)
		require.Equal(t, want.parse, answer.Parse(), written)
	}
	for _, written := range []string{
		`8`, `85`, `"8"`, `"85"`, `"8 (of many)"`, `-0.1`, `"-0.1"`, `1.01`, `"1,000"`, `"high"`, `"0.8-0.9"`, `"8/10/2025"`, `"11/10"`,
		`"8/0"`, `"120%"`, `"0.5%"`, `"-5%"`, `null`, `true`, `""`, `[0.8]`, `{"value":0.8}`, `"below 0.5"`, `"> 0.8"`, `"not 0.8"`, `"0.8±0.1"`, `"level 2: 0.8"`, `"0.80 (90%)"`, `"score: 8"`, `"NaN"`, `"Infinity"`, `"0.8 or 0.9"`,
	} {
		answer, _, ok := domain.ReadAnswer(said(`{"proposal":"p","score":`+written+`}`), decodeJSON)
		require.True(t, ok)
		require.Zero(t, answer.Score(), written)
		require.Equal(t, domain.ParseScoreInvalid, answer.Parse(), written)
	}
}

func TestTheWayInWhichAnAnswerWasReadIsKeptWhole(t *testing.T) {
	answer, _, ok := domain.ReadAnswer(said(`{"proposal"}`), func(string) (domain.Decoded, bool) {
		return domain.Decoded{Repaired: true, Size: 1, Object: domain.Object{
			"proposal": {Kind: domain.ValueText, Text: "p"}, "score": {Kind: domain.ValueText, Text: "85%"},
		}}, true
	})
	require.True(t, ok)
	require.Equal(t, "repaired, score_percent", answer.Parse())
}
