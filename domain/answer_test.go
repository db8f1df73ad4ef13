package domain_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

func TestReadAnswer(t *testing.T) {
	type want struct {
		proposal, reasoning string
		score               float64
		parse               string
	}
	good := want{"do it", "because", 0.8, ""}
	const object = `{"proposal":"do it","reasoning":"because","score":0.8}`
	for name, test := range map[string]struct {
		text string
		want want
	}{
		"an object":                          {object, good},
		"an object in a fence":               {"```json\n" + object + "\n```", good},
		"an object in a fence without a tag": {"```\n" + object + "\n```", good},
		"text around the object":             {"Sure! Here it is:\n" + object + "\nHope that helps {:", good},
		"reasoning before the object":        {"<think>\nmaybe {\"proposal\":\"draft\",\"score\":1}\n</think>\n" + object, good},
		"reasoning whose start is missing":   {"maybe {\"proposal\":\"draft\",\"score\":1}\n</think>\n\n" + object, good},
		"reasoning that never ends":          {"<think>so " + object, good},
		"an object that speaks of reasoning": {`{"proposal":"strip </think> tags","score":0.1}`, want{"strip </think> tags", "", 0.1, ""}},
		"an object within an object":         {`{"answer":` + object + `}`, good},
		"an array":                           {"[" + object + `,{"proposal":"second","score":1}]`, good},
		"braces that are no object first":    {"a {set} of {{things}}: " + object, good},
		"braces within a string":             {`{"proposal":"if (x) { y }","reasoning":"}{","score":1}`, want{"if (x) { y }", "}{", 1, ""}},
		"an object without a proposal first": {`{"note":1} ` + object, good},
		"the first of two objects":           {object + `{"proposal":"second","score":1}`, good},
		"white space around the texts":       {`{"proposal":" do it\n","reasoning":"\tbecause ","score":0.8}`, good},
		"unknown fields":                     {`{"x":[1,{"y":2}],"proposal":"do it","reasoning":"because","score":0.8}`, good},
		"the lowest score":                   {`{"proposal":"p","score":0}`, want{"p", "", 0, ""}},
		"the highest score":                  {`{"proposal":"p","score":1}`, want{"p", "", 1, ""}},
		"no score":                           {`{"proposal":"p"}`, want{"p", "", 0, "score_invalid"}},
		"a score of null":                    {`{"proposal":"p","score":null}`, want{"p", "", 0, "score_invalid"}},
		"a score in words":                   {`{"proposal":"p","score":"0.9"}`, want{"p", "", 0, "score_invalid"}},
		"a score that is too high":           {`{"proposal":"p","score":85}`, want{"p", "", 0, "score_invalid"}},
		"a score that is negative":           {`{"proposal":"p","score":-0.1}`, want{"p", "", 0, "score_invalid"}},
		"plain text":                         {" Use a token bucket. ", want{"Use a token bucket.", "", 0, "plain_text"}},
		"plain text in a fence":              {"```markdown\nUse a token bucket.\n```", want{"Use a token bucket.", "", 0, "plain_text"}},
		"plain text on a fenced line":        {"```Use it```", want{"Use it", "", 0, "plain_text"}},
		"two fenced blocks stay as they are": {"```go\na\n```\nor\n```go\nb\n```", want{"```go\na\n```\nor\n```go\nb\n```", "", 0, "plain_text"}},
		"plain text after reasoning":         {"<think>hm</think>Use it.", want{"Use it.", "", 0, "plain_text"}},
		"an object that was cut":             {`{"proposal":"do`, want{`{"proposal":"do`, "", 0, "plain_text"}},
		"an object without a proposal":       {`{"score":0.8}`, want{`{"score":0.8}`, "", 0, "plain_text"}},
		"a proposal that is no text":         {`{"proposal":{"a":1}}`, want{`{"proposal":{"a":1}}`, "", 0, "plain_text"}},
	} {
		t.Run(name, func(t *testing.T) {
			answer, ok := domain.ReadAnswer(test.text, decodeJSON)
			require.True(t, ok)
			require.Equal(t, test.want, want{answer.Proposal(), answer.Reasoning(), answer.Score(), answer.Parse()})
		})
	}
}

func TestAnAnswerWithoutAProposalIsNone(t *testing.T) {
	for _, text := range []string{
		"", " \n", "<think>only thoughts</think>", "only thoughts</think> ", "```json\n```", "``````",
		`{"proposal":"","score":1}`, `{"proposal":"  \n","score":1}`, "```json\n{\"proposal\":\"\"}\n```",
	} {
		_, ok := domain.ReadAnswer(text, decodeJSON)
		require.False(t, ok, text)
	}
}

func TestAScoreThatIsNoNumberIsNeverClamped(t *testing.T) {
	for _, score := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, math.Nextafter(1, 2), -math.SmallestNonzeroFloat64} {
		answer, ok := domain.ReadAnswer("{", func(string) (domain.AnswerFields, bool) {
			return domain.AnswerFields{Proposal: "p", Score: score}, true
		})
		require.True(t, ok)
		require.Zero(t, answer.Score())
		require.Equal(t, domain.ParseScoreInvalid, answer.Parse())
	}
}

func TestReadAnswerKeepsItsPromisesForAnyText(t *testing.T) {
	token := rapid.OneOf(anyText(), rapid.SampledFrom([]string{
		"{", "}", "[", "```", "```json\n", "\n```", "<think>", "</think>", `{"proposal":`, `"p"`, `,"score":`, "0.5", "1e400", "-1", `}`, " ",
	}))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(token, 0, 16).Draw(t, "tokens"), "")
		answer, ok := domain.ReadAnswer(text, decodeJSON)
		require.Equal(t, ok, strings.TrimSpace(answer.Proposal()) != "")
		require.GreaterOrEqual(t, answer.Score(), 0.0)
		require.LessOrEqual(t, answer.Score(), 1.0)
	})
}

func TestAnObjectIsFoundWhateverStandsAroundIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := strings.ReplaceAll(withoutBraces().Draw(t, "before"), "<", "")
		after := anyText().Draw(t, "after")
		answer, ok := domain.ReadAnswer(before+`{"proposal":"p","score":0.5}`+after, decodeJSON)
		require.True(t, ok)
		require.Equal(t, "p", answer.Proposal())
		require.InDelta(t, 0.5, answer.Score(), 0)
	})
}

func TestHostileAnswersAreReadInAFewTries(t *testing.T) {
	for name, unit := range map[string]string{
		"nested objects": `{"a":`, "opening braces": "{", "both braces": "{}", "arrays": `[{`, "objects": `{"a":1}`, "fences": "```{",
		"thoughts": "<think>{", "ended thoughts": "{</think>",
	} {
		t.Run(name, func(t *testing.T) {
			tries, began := 0, time.Now()
			answer, ok := domain.ReadAnswer(strings.Repeat(unit, 1<<20/len(unit)), func(text string) (domain.AnswerFields, bool) {
				tries++
				return decodeJSON(text)
			})
			require.True(t, ok)
			require.Equal(t, domain.ParsePlainText, answer.Parse())
			require.LessOrEqual(t, tries, 32)
			require.Less(t, time.Since(began), 5*time.Second)
		})
	}
}

func TestFitCutsTheReasoningFirst(t *testing.T) {
	answer := domain.RestoredAnswer("proposal", "reasoning", 0.5)
	for limit, want := range map[int][2]string{
		1000: {"proposal", "reasoning"}, 17: {"proposal", "reasoning"}, 16: {"proposal", "reasonin"}, 9: {"proposal", "r"},
		8: {"proposal", ""}, 7: {"proposa", ""}, 1: {"p", ""},
	} {
		fitted, cut := answer.Fit(limit)
		require.Equal(t, want, [2]string{fitted.Proposal(), fitted.Reasoning()}, limit)
		require.Equal(t, limit < 17, cut, limit)
		require.InDelta(t, 0.5, fitted.Score(), 0)
	}
	require.Equal(t, "reasoning", answer.Reasoning(), "the old value is as it was")
}

func TestFitKeepsItsBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answer := domain.RestoredAnswer("p"+anyText().Draw(t, "proposal"), anyText().Draw(t, "reasoning"), 1)
		limit := rapid.IntRange(1, 80).Draw(t, "limit")
		fitted, cut := answer.Fit(limit)
		require.LessOrEqual(t, domain.EncodedSize(fitted.Proposal())+domain.EncodedSize(fitted.Reasoning()), limit)
		require.NotEmpty(t, fitted.Proposal())
		require.Equal(t, cut, fitted != answer)
	})
}

func TestAllAnswersTogetherFitAPayload(t *testing.T) {
	for n, want := range map[int]int{-1: 64 << 10, 0: 64 << 10, 1: 64 << 10, 3: 64 << 10, 16: 64 << 10, 17: 61680, 64: 16 << 10} {
		require.Equal(t, want, domain.AnswerMaximum(n), n)
		require.LessOrEqual(t, n*domain.AnswerMaximum(n), 1<<20)
	}
}
