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

func said(text string) domain.Completion { return domain.Completion{Text: text, FinishReason: "stop"} }

func TestReadAnswer(t *testing.T) {
	type want struct {
		proposal, reasoning string
		score               float64
		parse               string
	}
	good := want{"do it", "because", 0.8, ""}
	plain := func(text string) want { return want{text, "", 0, "plain_text"} }
	const object = `{"proposal":"do it","reasoning":"because","score":0.8}`
	const draft = `{"proposal":"draft","score":1}`
	for name, test := range map[string]struct {
		text string
		want want
	}{
		"an object":                          {object, good},
		"an object in a fence":               {"```json\n" + object + "\n```", good},
		"an object in a fence without a tag": {"```\n" + object + "\n```", good},
		"text around the object":             {"Sure! Here it is:\n" + object + "\nHope that helps {:", good},
		"reasoning before the object":        {"<think>\nmaybe " + draft + "\n</think>\n" + object, good},
		"reasoning whose start is missing":   {"maybe " + draft + "\n</think>\n\n" + object, good},
		"reasoning that never ends":          {"<think>so " + object, good},
		"an object that speaks of reasoning": {`{"proposal":"strip </think> tags","score":0.1}`, want{"strip </think> tags", "", 0.1, ""}},
		"an object that opens reasoning":     {`{"proposal":"the tag <think>","score":0.1} Done.`, want{"the tag <think>", "", 0.1, ""}},
		"an object within an object":         {`{"answer":` + object + `}`, good},
		"an array":                           {"[" + draft + "," + object + "]", good},
		"braces that are no object first":    {"a {set} of {{things}}: " + object, good},
		"a brace that is never closed first": {"use { to open: " + object, good},
		"braces within a string":             {`{"proposal":"if (x) { y }","reasoning":"}{","score":1}`, want{"if (x) { y }", "}{", 1, ""}},
		"an object without a proposal first": {`{"note":1} ` + object, good},
		"an object without a proposal last":  {object + ` {"note":1}`, good},
		"the last of two objects":            {draft + object, good},
		"a draft and then the answer":        {"My first idea: " + draft + ". On reflection:\n```json\n" + object + "\n```", good},
		"alternatives within the answer":     {`{"proposal":"do it","reasoning":"because","score":0.8,"others":[` + draft + `,` + draft + `]}`, good},
		"an answer within a text of another": {`{"proposal":"return {\"proposal\":\"x\"}","score":1}`, want{`return {"proposal":"x"}`, "", 1, ""}},
		"white space around the texts":       {`{"proposal":" do it\n","reasoning":"\tbecause ","score":0.8}`, good},
		"unknown fields":                     {`{"x":[1,{"y":2}],"proposal":"do it","reasoning":"because","score":0.8}`, good},
		"names in capitals":                  {`{"Proposal":"do it","REASONING":"because","Score":0.8}`, good},
		"the lowest score":                   {`{"proposal":"p","score":0}`, want{"p", "", 0, ""}},
		"the highest score":                  {`{"proposal":"p","score":1}`, want{"p", "", 1, ""}},
		"no score":                           {`{"proposal":"p"}`, want{"p", "", 0, "score_invalid"}},
		"a proposal that is no text":         {`{"proposal":{"a":1},"score":1}`, want{`{"a":1}`, "", 1, ""}},
		"an empty object before the answer":  {`{"proposal":"","score":1}` + object, good},
		"an empty object after the answer":   {object + `{"proposal":" ","score":1}`, good},
		"the form and then the answer":       {`{"proposal":"<your proposal>","score":0.5} ` + object, good},
		"plain text":                         {" Use a token bucket. ", plain("Use a token bucket.")},
		"plain text in a fence":              {"```markdown\nUse a token bucket.\n```", plain("Use a token bucket.")},
		"plain text in a tag":                {"<answer>\nUse it.\n</answer>", plain("Use it.")},
		"plain text on a fenced line":        {"```Use it```", plain("Use it")},
		"two fenced blocks stay as they are": {"```go\na\n```\nor\n```go\nb\n```", plain("```go\na\n```\nor\n```go\nb\n```")},
		"plain text about a tag":             {"Drop what <think> begins.", plain("Drop what <think> begins.")},
		"plain text with a type":             {"Return a List<Analysis> here.", plain("Return a List<Analysis> here.")},
		"plain text that begins to think":    {"Thinking... Use it.", plain("Thinking... Use it.")},
		"plain text under headings":          {"## Analysis\nUse a token bucket.\n## Costs\nFew.", plain("## Analysis\nUse a token bucket.\n## Costs\nFew.")},
		"plain text with a template":         {"Use {reasoning} in it --> done.", plain("Use {reasoning} in it --> done.")},
		"tokens of a chat template":          {"Use it.<｜end▁of▁sentence｜></s>", plain("Use it.")},
		"plain text with details":            {"<details>more</details> Use it.", plain("<details>more</details> Use it.")},
		"a draft in thoughts, then prose":    {"<think>" + draft + "</think>Use it.", plain("Use it.")},
		"an object that was cut":             {`{"proposal":"do`, plain(`{"proposal":"do`)},
		"an object without a proposal":       {`{"score":0.8}`, plain(`{"score":0.8}`)},
	} {
		t.Run(name, func(t *testing.T) {
			answer, failure, ok := domain.ReadAnswer(said(test.text), decodeJSON)
			require.True(t, ok, failure.Message())
			require.Equal(t, test.want, want{answer.Proposal(), answer.Reasoning(), answer.Score(), answer.Parse()})
		})
	}
}

func TestAnAnswerWithoutAProposalIsNone(t *testing.T) {
	const (
		empty    = "the answer has an empty proposal"
		thoughts = "only the model's reasoning came, and no answer"
		form     = "the answer is the form that was asked for, not filled in"
		schema   = `{"type":"object","properties":{"proposal":{"type":"string","description":"your proposal"},"score":{"type":"number"}}}`
		filled   = `{"proposal":"<your proposal>","reasoning":"<why>","score":1}`
	)
	for text, why := range map[string]string{
		"":                                  empty,
		" \n":                               empty,
		"<think>only thoughts</think>":      thoughts,
		"<think>only thoughts":              thoughts,
		"only thoughts</think> ":            thoughts,
		"```json\n```":                      empty,
		"``````":                            empty,
		`{"proposal":"","score":1}`:         empty,
		`{"proposal":"  \n","score":1}`:     empty,
		`{"proposal":null,"score":1}`:       empty,
		"```json\n{\"proposal\":\"\"}\n```": empty,
		filled:                              form,
		`{"proposal": "...", "score": 0.5}`: form,
		schema:                              form,
	} {
		_, failure, ok := domain.ReadAnswer(said(text), decodeJSON)
		require.False(t, ok, text)
		require.Equal(t, domain.InvalidOutput, failure.Kind(), text)
		require.Equal(t, why, failure.Message(), text)
		require.True(t, failure.Retryable())
	}
}

func TestAnAnswerThatWasCutCountsIfItsObjectIsComplete(t *testing.T) {
	const object, draft = `{"proposal":"do it","score":0.8}`, `{"proposal":"draft","score":1}`
	cut := func(text string) domain.Completion { return domain.Completion{Text: text, FinishReason: "length"} }
	for _, text := range []string{
		object + strings.Repeat("\n", 400), object + " It is fair {and", "<think>" + draft + "</think>" + object + "This proposal",
	} {
		answer, failure, ok := domain.ReadAnswer(cut(text), decodeJSON)
		require.True(t, ok, failure.Message())
		require.Equal(t, "do it", answer.Proposal())
	}
	for text, why := range map[string]string{
		`{"proposal":"do`: "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens",
		"Use a tok":       "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens",
		"First: " + draft + `. Then: {"proposal":"do`: "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens",
		"<think>so " + draft + " hm": "all tokens were thoughts, and no answer came; raise protocol.max_tokens, " +
			"or let the model think less through protocol.extra_body",
	} {
		_, failure, ok := domain.ReadAnswer(cut(text), decodeJSON)
		require.False(t, ok, text)
		require.Equal(t, domain.Truncated, failure.Kind(), text)
		require.Equal(t, why, failure.Message(), text)
	}
}

func TestReadAnswerKeepsItsPromisesForAnyText(t *testing.T) {
	token := rapid.OneOf(anyText(), rapid.SampledFrom([]string{
		"{", "}", "[", "```", "```json\n", "\n```", "<think>", "</think>", "[THINK]", "<|channel|>analysis", "<|end|>", "assistantfinal",
		`{"proposal":`, `"p"`, `,"score":`, "0.5", "1e400", "-1", `}`, " ",
	}))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(token, 0, 16).Draw(t, "tokens"), "")
		reason := rapid.SampledFrom([]string{"stop", "length"}).Draw(t, "finish")
		answer, failure, ok := domain.ReadAnswer(domain.Completion{Text: text, FinishReason: reason}, decodeJSON)
		require.Equal(t, ok, strings.TrimSpace(answer.Proposal()) != "")
		require.Equal(t, ok, failure.Kind() == "")
		require.GreaterOrEqual(t, answer.Score(), 0.0)
		require.LessOrEqual(t, answer.Score(), 1.0)
	})
}

func TestAnObjectIsFoundWhateverStandsAroundIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := strings.ReplaceAll(withoutBraces().Draw(t, "before"), "<", "")
		after := anyText().Draw(t, "after")
		answer, _, ok := domain.ReadAnswer(said(before+`{"proposal":"p","score":0.5}`+after), decodeJSON)
		require.True(t, ok)
		require.Equal(t, "p", answer.Proposal())
		require.InDelta(t, 0.5, answer.Score(), 0)
	})
}

func TestHostileAnswersAreReadInAFewTries(t *testing.T) {
	for name, unit := range map[string]string{
		"nested objects": `{"proposal":`, "opening braces": "{", "both braces": "{}", "arrays": `[{`, "objects": `{"a":1}`, "fences": "```{",
		"thoughts": "<think>{", "ended thoughts": "{</think>", "answers": `{"proposal":"p"}</think>`, "names": `{"proposal`,
		"channels": "<|channel|>analysis{a:proposal", "details": "<details reasoning",
		"thoughts and tokens": "<think>a</think><|end|>", "many thoughts": "<think>a</think>", "tokens": "<|end|>{",
	} {
		t.Run(name, func(t *testing.T) {
			took := func(size int) time.Duration {
				tries, began := 0, time.Now()
				domain.ReadAnswer(said(strings.Repeat(unit, size/len(unit))), func(text string) (domain.Decoded, bool) {
					tries++
					return decodeJSON(text)
				})
				require.LessOrEqual(t, tries, 32)
				return time.Since(began)
			}
			best := math.Inf(1) // of ten pairs: other work on the machine spoils some of them
			for n := 0; n < 10 && best >= 32; n++ {
				small, large := took(8<<10), took(64<<10)
				best = min(best, float64(large)/float64(small))
			}
			require.Less(t, best, 32.0, "eight times the length takes about eight times as long, not 64 times")
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
	require.Equal(t, "reasoning", answer.Reasoning(), "the old value stays as it was")
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
