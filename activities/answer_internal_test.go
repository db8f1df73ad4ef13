package activities

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestDecodeAnswer(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		text string
		want domain.AnswerFields
	}{
		"as it was asked for":               {`{"proposal":"p","reasoning":"r","score":0.5}`, domain.AnswerFields{Proposal: "p", Reasoning: "r", Score: 0.5}},
		"with text behind it":               {`{"proposal":"p","score":1} and so on }`, domain.AnswerFields{Proposal: "p", Score: 1}},
		"with a fence behind it":            {"{\"proposal\":\"p\",\"score\":1}\n```", domain.AnswerFields{Proposal: "p", Score: 1}},
		"with another object behind it":     {`{"proposal":"p","score":1}{"proposal":"q"}`, domain.AnswerFields{Proposal: "p", Score: 1}},
		"with fields that nobody asked for": {`{"x":{"proposal":"no"},"proposal":"p","score":0}`, domain.AnswerFields{Proposal: "p"}},
		"without a score":                   {`{"proposal":"p"}`, domain.AnswerFields{Proposal: "p", Score: nan}},
		"a score as text":                   {`{"proposal":"p","score":"0.9"}`, domain.AnswerFields{Proposal: "p", Score: nan}},
		"a score of null":                   {`{"proposal":"p","score":null}`, domain.AnswerFields{Proposal: "p", Score: nan}},
		"a score of true":                   {`{"proposal":"p","score":true}`, domain.AnswerFields{Proposal: "p", Score: nan}},
		"a score beyond all numbers":        {`{"proposal":"p","score":1e400}`, domain.AnswerFields{Proposal: "p", Score: nan}},
		"a score out of range":              {`{"proposal":"p","score":7}`, domain.AnswerFields{Proposal: "p", Score: 7}}, // the domain's to judge
		"a proposal that is an object":      {`{"proposal":{"steps": [1]},"score":1}`, domain.AnswerFields{Proposal: `{"steps": [1]}`, Score: 1}},
		"a proposal that is a list":         {`{"proposal":["a","b"],"score":1}`, domain.AnswerFields{Proposal: `["a","b"]`, Score: 1}},
		"a proposal that is a number":       {`{"proposal":1e400,"score":1}`, domain.AnswerFields{Proposal: `1e400`, Score: 1}},
		"a proposal of null":                {`{"proposal":null,"score":1}`, domain.AnswerFields{Score: 1}},
		"an empty proposal":                 {`{"proposal":"","score":1}`, domain.AnswerFields{Score: 1}},
		"reasoning that is an object":       {`{"proposal":"p","reasoning":{"a":1},"score":1}`, domain.AnswerFields{Proposal: "p", Reasoning: `{"a":1}`, Score: 1}},
		"the same key twice":                {`{"proposal":"p","proposal":"q","score":1}`, domain.AnswerFields{Proposal: "q", Score: 1}},
		"escapes":                           {`{"proposal":"\u00e9\n\ud83d","score":1}`, domain.AnswerFields{Proposal: "é\n\ufffd", Score: 1}},
		"invalid UTF-8":                     {"{\"proposal\":\"a\xffb\",\"score\":1}", domain.AnswerFields{Proposal: "a\ufffdb", Score: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := decodeAnswer(c.text)

			require.True(t, ok)
			require.Equal(t, c.want.Proposal, got.Proposal)
			require.Equal(t, c.want.Reasoning, got.Reasoning)
			if math.IsNaN(c.want.Score) {
				require.True(t, math.IsNaN(got.Score), "%v", got.Score)
				return
			}
			require.InDelta(t, c.want.Score, got.Score, 0)
		})
	}
}

func TestDecodeAnswer_RefusesWhatIsNoAnswer(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     "",
		"prose":                       "I propose a token bucket",
		"a list":                      `[{"proposal":"p"}]`,
		"null":                        "null",
		"half an object":              `{"proposal":"p"`,
		"half a string":               `{"proposal":"p`,
		"an object of something else": `{"answer":"p"}`,
		"a proposal deeper down":      `{"answer":{"proposal":"p"}}`,
		"a template":                  `{{proposal}}`,
		"nesting without end":         strings.Repeat(`{"a":`, 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, ok := decodeAnswer(text)

			require.False(t, ok)
		})
	}
}

func TestDecodeAnswer_AnObjectDeeperDownIsFoundByTheDomain(t *testing.T) {
	answer, usable := domain.ReadAnswer(`So: {"answer":{"proposal":"p","score":0.5}}`, decodeAnswer)

	require.True(t, usable)
	require.Equal(t, "p", answer.Proposal())
	require.InDelta(t, 0.5, answer.Score(), 0)
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"proposal":"p","reasoning":"r","score":0.5}`, `{"proposal":{"a":[1,null]},"score":"1e400"}`, `{"score":1e400}`,
		"{\"proposal\":\"\xff\xfe\",\"score\":-0}", `null`, `{"proposal":null}`, `{"proposal":"p","proposal":3}tail`, "",
		`<think>{</think>{"proposal":" ","score":2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answer, usable := domain.ReadAnswer(text, decodeAnswer)
		if !usable {
			return
		}
		require.NotEmpty(t, answer.Proposal())
		require.True(t, answer.Score() >= 0 && answer.Score() <= 1)
		_, err := json.Marshal([]any{answer.Proposal(), answer.Reasoning(), answer.Score()})
		require.NoError(t, err)
	})
}
