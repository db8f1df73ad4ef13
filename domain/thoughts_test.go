package domain_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestThoughtsAreNotTheAnswerHoweverTheyAreMarked(t *testing.T) {
	const object, draft = `{"proposal":"do it","score":0.8}`, `{"proposal":"draft","score":1}`
	for _, marks := range [][2]string{
		{"<think>", "</think>"},
		{"<THINK>\n", "\n</THINK>\n"},
		{"<thinking>", "</thinking>"},
		{"<thought>", "</thought>"},
		{"<thinking budget=\"5\">", "</thinking>"},
		{"<reasoning>", "</reasoning>"},
		{"<reflection>", "</reflection>"},
		{"<inner_monologue>", "</inner_monologue>"},
		{"<chain_of_thought>", "</chain_of_thought>"},
		{"<scratchpad>", "</scratchpad>"},
		{"<antThinking>", "</antThinking>"},
		{"<seed:think>", "</seed:think>"},
		{"<draft>", "</draft>"},
		{"<|begin_of_thought|>", "<|end_of_thought|>"},
		{"<|START_THINKING|>", "<|END_THINKING|>"},
		{"<|thinking|>", "<|/thinking|>"},
		{"[THINK]", "[/THINK]"},
		{"[thinking]", "[/thinking]"},
		{"◁think▷", "◁/think▷"},
		{`<details type="reasoning" done="true">`, "</details>"},
		{"<unused94>thought", "<unused95>"},
		{"<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"},
		{"<|channel>thought\n", "<channel|>"},
		{"analysisWe think: ", "assistantfinal"},
		{"", "</think>"},
		{"<think>a<think>b</think>", "</think>"},
		{"<|thinking_start|>", "<|thinking_end|>"},
		{"<thinking_process>", "</thinking_process>"},
		{"<self-reflection>", "</self-reflection>"},
		{"<cot>", "</CoT>"},
		{"<rationale>", "</rationale>"},
		{"<planning>", "</planning>"},
		{"<思考>", "</思考>"},
		{"<think>", "< /think>"},
		{"<think>", "<\\/think>"},
		{"\\<think\\>", "\\</think\\>"},
		{"&lt;think&gt;", "&lt;/think&gt;"},
		{"<think\n>", "</think\n>"},
		{"<thinking>", "</thought>"},
		{"[REASONING]", "[END_REASONING]"},
		{"{think}", "{/think}"},
		{"<｜begin▁of▁thinking｜>", "<｜end▁of▁thinking｜>"},
		{"<|inner_prefix|>", "<|inner_suffix|>"},
		{"<!-- thinking: ", "-->"},
		{"```thinking\n", "\n```\n"},
		{"```thinking\n<think>", "</think>\n```\n"},
		{"<details>\n<summary>Thought for 5 seconds</summary>", "</details>"},
		{"Here is my thought process: ", "\nHere is my response:"},
		{"Thinking...\n", "\n...done thinking.\n"},
		{"<|channel|>analysis to=python code<|message|>", "<|end|>"},
		{"<|channel|>commentary to=f <|constrain|>json<|message|>", "<|call|><|start|>assistant<|channel|>final <|constrain|>json<|message|>"},
		{"**Thinking:** ", "\n\n**Final answer:** "},
		{"## Reasoning\n", "\n\n## Answer\n"},
		{"<think>hm</think>\n", "</think>"},
	} {
		begin, end := marks[0], marks[1]
		for text, want := range map[string]string{
			begin + "maybe " + draft + end + object:               "do it",
			begin + "maybe " + draft + end + "Use a bucket.":      "Use a bucket.",
			begin + "maybe " + draft + end + "\n" + object + "\n": "do it",
		} {
			answer, failure, ok := domain.ReadAnswer(said(text), decodeJSON)
			require.True(t, ok, "%s: %s", text, failure.Message())
			require.Equal(t, want, answer.Proposal(), text)
		}
		for _, text := range []string{begin + "only thoughts" + end, begin + "maybe " + draft + " or not" + end + " \n"} {
			_, failure, ok := domain.ReadAnswer(said(text), decodeJSON)
			require.False(t, ok, text)
			require.Equal(t, domain.InvalidOutput, failure.Kind())
			require.Equal(t, "only the model's reasoning came, and no answer", failure.Message(), text)
		}
	}
}

func TestThoughtsThatAreTheObjectCount(t *testing.T) {
	const object = `{"proposal":"do it","score":0.8}`
	for name, done := range map[string]domain.Completion{
		"apart from the text":       {ReasoningText: object, FinishReason: "stop"},
		"apart, in a fence":         {Text: " \n", ReasoningText: "```json\n" + object + "\n```\n", FinishReason: "stop"},
		"in tags":                   said("<think>\n" + object + "\n</think>\n"),
		"in tags that never end":    said("<think> I would say " + object),
		"before a tag that ends it": said(object + "\n</think>"),
	} {
		answer, failure, ok := domain.ReadAnswer(done, decodeJSON)
		require.True(t, ok, "%s: %s", name, failure.Message())
		require.Equal(t, "do it", answer.Proposal(), name)
	}
	for name, done := range map[string]domain.Completion{
		"a draft on the way":               {ReasoningText: "maybe " + object + ", or not", FinishReason: "stop"},
		"prose apart from the text":        {ReasoningText: "hm", FinishReason: "stop"},
		"a draft in tags on the way":       said("<think>maybe " + object + " hm</think>"),
		"a draft before prose without end": said("<think>maybe " + object + " hm"),
	} {
		_, failure, ok := domain.ReadAnswer(done, decodeJSON)
		require.False(t, ok, name)
		require.Equal(t, "only the model's reasoning came, and no answer", failure.Message(), name)
	}
}

func TestAnObjectUnderAHeadingOfThoughtsCountsIfOnlyProseFollows(t *testing.T) {
	const object, draft = `{"proposal":"do it","score":0.8}`, `{"proposal":"draft","score":1}`
	for _, text := range []string{
		"## Analysis\nWe compared.\n```json\n" + object + "\n```\n**Answer:** see the object above.",
		"**Reasoning:** fair\n" + object + "\nThat is all.\n## Output\n",
		"## Reasoning\n" + object + "\n## Answer\nSee above.\n## Output\nAs I said.",
		"## Reasoning\nmaybe " + draft + "\n```json\n" + object + "\n```\n## Answer\nSee above.",
		"## Reasoning\n```json\n" + draft + "\n```\n## Answer\n" + object,
	} {
		answer, failure, ok := domain.ReadAnswer(said(text), decodeJSON)
		require.True(t, ok, "%s: %s", text, failure.Message())
		require.Equal(t, "do it", answer.Proposal(), text)
	}
}
