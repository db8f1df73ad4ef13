package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// These answers come from public reports about model servers and their clients. The good answer has a score of
// 0.8; drafts, which must never win, have 0.99.
const (
	goodProposal  = "FINAL: use a token bucket per account"
	goodAnswer    = `{"proposal": "FINAL: use a token bucket per account", "reasoning": "fair and cheap", "score": 0.8}`
	draftAnswer   = `{"proposal": "DRAFT: sleep in the handler", "reasoning": "first idea", "score": 0.99}`
	partialAnswer = `{"proposal": "FINAL: use a token bu`
)

func completion(text, finish string) domain.Completion {
	return domain.Completion{Text: text, FinishReason: finish}
}

func scored(score string) domain.Completion {
	return completion(`{"proposal": "FINAL: use a token bucket", "reasoning": "fair"`+score+`}`, "stop")
}

func TestReadAnswer_ReportedCases(t *testing.T) {
	const plain = "FINAL: use a token bucket"
	for name, c := range map[string]struct {
		done     domain.Completion
		proposal string
		score    float64
		parse    string
	}{
		"ok":                    {completion(goodAnswer, "stop"), goodProposal, 0.8, ""},
		"think-json":            {completion("<think>\nmaybe "+draftAnswer+"\n</think>\n\n"+goodAnswer, "stop"), goodProposal, 0.8, ""},
		"think-double-end":      {completion("<think>hm</think>\n\n</think>\n\n"+plain, "stop"), plain, 0, "plain_text"},
		"thinking-tag":          {completion("<thinking>\nmaybe "+draftAnswer+"\n</thinking>\n\n"+goodAnswer, "stop"), goodProposal, 0.8, ""},
		"thought-prose":         {completion("<thought>the user wants a limit; I would first consider sleeping</thought>"+plain, "stop"), plain, 0, "plain_text"},
		"think-bracket":         {completion("[THINK]maybe "+draftAnswer+"[/THINK]"+goodAnswer, "stop"), goodProposal, 0.8, ""},
		"draft-then-final":      {completion("My first idea is "+draftAnswer+". On reflection, my answer:\n```json\n"+goodAnswer+"\n```", "stop"), goodProposal, 0.8, ""},
		"reasoning-only":        {domain.Completion{ReasoningText: goodAnswer, FinishReason: "stop"}, goodProposal, 0.8, ""},
		"reasoning-then-answer": {domain.Completion{Text: goodAnswer, ReasoningText: draftAnswer, FinishReason: "stop"}, goodProposal, 0.8, ""},
		"length-complete":       {completion(goodAnswer+"\n\n\n\n\n\n\n\n", "length"), goodProposal, 0.8, ""},
		"raw-newlines": {
			completion("{\"proposal\": \"FINAL: use a token bucket\n\n```go\nfunc limit() {\n\treturn\n}\n```\", \"reasoning\": \"fair\nand cheap\", \"score\": 0.8}", "stop"),
			"FINAL: use a token bucket\n\n```go\nfunc limit() {\n\treturn\n}\n```", 0.8, "repaired",
		},
		"trailing-comma":       {completion(goodAnswer[:len(goodAnswer)-1]+",}", "stop"), goodProposal, 0.8, "repaired"},
		"single-quotes":        {completion(`{'proposal': 'FINAL: use a token bucket per account', 'reasoning': 'fair and cheap', 'score': 0.8}`, "stop"), goodProposal, 0.8, "repaired"},
		"unescaped":            {completion(`{"proposal": "FINAL: use a "token bucket" per account", "reasoning": "fair", "score": 0.8}`, "stop"), `FINAL: use a "token bucket" per account`, 0.8, "repaired"},
		"fence-prose":          {completion("Here is my proposal:\n\n```json\n"+goodAnswer+"\n```\n\nLet me know!", "stop"), goodProposal, 0.8, ""},
		"bom":                  {completion("\ufeff"+goodAnswer, "stop"), goodProposal, 0.8, ""},
		"keys-capital":         {completion(`{"Proposal": "FINAL: use a token bucket per account", "Reasoning": "fair", "Score": 0.8}`, "stop"), goodProposal, 0.8, ""},
		"list-of-one":          {completion("["+goodAnswer+"]", "stop"), goodProposal, 0.8, ""},
		"nested":               {completion(`{"answer": `+goodAnswer+`}`, "stop"), goodProposal, 0.8, ""},
		"non-english":          {completion(`{"proposal": "FINAL: دلو الرموز 令牌桶 🪣👩‍💻 é", "reasoning": "公平", "score": 0.8}`, "stop"), "FINAL: دلو الرموز 令牌桶 🪣👩‍💻 é", 0.8, ""},
		"finish-eos":           {completion(goodAnswer, "eos"), goodProposal, 0.8, ""},
		"done-no-finish":       {completion(goodAnswer, ""), goodProposal, 0.8, ""},
		"score-string":         {scored(`, "score": "0.8"`), plain, 0.8, "score_text"},
		"score-of-ten":         {scored(`, "score": "8/10"`), plain, 0.8, "score_fraction"},
		"score-percent":        {scored(`, "score": "85%"`), plain, 0.85, "score_percent"},
		"score-comma":          {scored(`, "score": "0,8"`), plain, 0.8, "score_comma"},
		"bare-comma":           {scored(`, "score": 0,8`), plain, 0.8, "repaired, score_comma"},
		"score-ten":            {scored(`, "score": 8`), plain, 0, "score_invalid"},
		"score-list":           {scored(`, "score": [0.8]`), plain, 0, "score_invalid"},
		"score-object":         {scored(`, "score": {"value": 0.8}`), plain, 0, "score_invalid"},
		"score-exponent":       {scored(`, "score": 8e-1`), plain, 0.8, ""},
		"score-bare-dot":       {scored(`, "score": .8`), plain, 0.8, "repaired, score_text"},
		"score-missing":        {scored(``), plain, 0, "score_invalid"},
		"score-nan":            {scored(`, "score": NaN`), plain, 0, "repaired, score_invalid"},
		"score-label":          {scored(`, "score": "high"`), plain, 0, "score_invalid"},
		"reasoning-and-marks":  {domain.Completion{Text: "</think>\n", ReasoningText: goodAnswer, FinishReason: "stop"}, goodProposal, 0.8, ""},
		"reasoning-and-fence":  {domain.Completion{Text: "```json\n```", ReasoningText: goodAnswer, FinishReason: "stop"}, goodProposal, 0.8, ""},
		"reasoning-length":     {domain.Completion{ReasoningText: goodAnswer + "\n\n\n", FinishReason: "length"}, goodProposal, 0.8, ""},
		"context-window":       {completion(goodAnswer+" and so", "length (model_context_window_exceeded)"), goodProposal, 0.8, ""},
		"quotes-the-form":      {completion(goodAnswer+` I filled in {"proposal": ..., "score": ...}.`, "stop"), goodProposal, 0.8, ""},
		"schema-then-answer":   {completion(`{"properties": {"proposal": {"type": "string"}}} `+goodAnswer, "stop"), goodProposal, 0.8, ""},
		"values-in-the-schema": {completion(`{"type": "object", "properties": `+goodAnswer+`}`, "stop"), goodProposal, 0.8, ""},
		"score-and-words":      {scored(`, "score": "0.8 (high)"`), plain, 0.8, "score_text"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, failure, ok := domain.ReadAnswer(c.done, answerDecoder())

			require.True(t, ok, failure.Message())
			require.Equal(t, c.proposal, answer.Proposal())
			require.InDelta(t, c.score, answer.Score(), 1e-9)
			require.Equal(t, c.parse, answer.Parse())
		})
	}
}

func TestReadAnswer_ReportedCasesWithoutAnAnswer(t *testing.T) {
	const form = "the answer is the form that was asked for, not filled in"
	for name, c := range map[string]struct {
		done domain.Completion
		kind domain.FailureKind
		why  string
	}{
		"think-unclosed":  {completion("<think>The user wants rate limiting. Let me weigh a token bucket", "stop"), domain.InvalidOutput, "only the model's reasoning came, and no answer"},
		"length-cut":      {completion(partialAnswer, "length"), domain.Truncated, "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens"},
		"length-and-more": {completion(draftAnswer+" Better: "+partialAnswer, "length"), domain.Truncated, "the answer was cut at max_tokens before it was complete; raise protocol.max_tokens"},
		"schema-echo": {
			completion(`{"type": "object", "properties": {"proposal": {"type": "string", "description": "your proposal"}, "reasoning": {"type": "string"}, `+
				`"score": {"type": "number"}}, "required": ["proposal", "reasoning", "score"]}`, "stop"), domain.InvalidOutput, form,
		},
		"draft-and-half": {completion(draftAnswer+" Better: "+partialAnswer, "stop"), domain.InvalidOutput, "the last object of the answer has no end"},
		"window-cut":     {completion(partialAnswer, "length (model_context_window_exceeded)"), domain.Truncated, "the answer was cut before it was complete: length (model_context_window_exceeded)"},
		"form-reworded":  {completion(`{"proposal": "<insert your proposal here>", "score": 0.5}`, "stop"), domain.InvalidOutput, form},
		"template-echo":  {completion(`{"proposal": "<your proposal>", "reasoning": "<why it is right>", "score": 0.5}`, "stop"), domain.InvalidOutput, form},
		"form-echo":      {completion(`{"proposal": "<your proposal>", "reasoning": "<why it is right>", "score": <0.0 to 1.0>}`, "stop"), domain.InvalidOutput, form},
		"empty":          {completion("", "stop"), domain.InvalidOutput, "the answer has an empty proposal"},
		"whitespace":     {completion(" \n\n ", "stop"), domain.InvalidOutput, "the answer has an empty proposal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, failure, ok := domain.ReadAnswer(c.done, answerDecoder())

			require.False(t, ok)
			require.Equal(t, c.kind, failure.Kind())
			require.Equal(t, c.why, failure.Message())
		})
	}
}
