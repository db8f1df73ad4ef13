package domain

import (
	"math"
	"strings"
)

// What `metadata.parse` says of an answer that isn't as asked for.
const (
	ParsePlainText    = "plain_text"
	ParseScoreInvalid = "score_invalid"
)

// maxObjects bounds where an object is looked for: each try may read the rest of the text.
const maxObjects = 32

// AnswerFields is a decoded answer object. Score is not a number unless the object has one.
type AnswerFields struct {
	Proposal  string
	Reasoning string
	Score     float64
}

// DecodeObject decodes the object that text starts with; false when there is none with a proposal,
// which may be empty. The domain knows no JSON, so whoever reads an answer brings the decoder.
type DecodeObject func(text string) (AnswerFields, bool)

// Answer is a model's answer, read.
type Answer struct {
	proposal  string
	reasoning string
	score     float64
	parse     string
}

// ReadAnswer reads leniently: fences and reasoning tags are stripped, the first object that decodes
// counts, else the text itself is the proposal with score 0. An answer that was paid for isn't thrown
// away. Scores are never clamped: one that is missing or out of range is 0. False when no proposal is
// left, which is the failure [InvalidOutput].
func ReadAnswer(text string, decode DecodeObject) (Answer, bool) {
	text = stripReasoning(text)
	at := strings.IndexByte(text, '{')
	for range maxObjects {
		if at < 0 {
			break
		}
		if fields, ok := decode(text[at:]); ok {
			return fromFields(fields)
		}
		next := strings.IndexByte(text[at+1:], '{')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	proposal := stripFences(text)
	return Answer{proposal: proposal, parse: ParsePlainText}, proposal != ""
}

func fromFields(fields AnswerFields) (Answer, bool) {
	answer := Answer{
		proposal:  strings.TrimSpace(fields.Proposal),
		reasoning: strings.TrimSpace(fields.Reasoning),
		score:     fields.Score,
	}
	if !validScore(fields.Score) {
		answer.score, answer.parse = 0, ParseScoreInvalid
	}
	return answer, answer.proposal != ""
}

func validScore(score float64) bool {
	return !math.IsNaN(score) && score >= 0 && score <= 1
}

// stripReasoning drops a leading <think>…</think>, which servers without a reasoning parser leave in.
// Where the chat template opens the tag, only its end is in the answer.
func stripReasoning(text string) string {
	const open, end = "<think>", "</think>"
	text = strings.TrimSpace(text)
	before, rest, closed := strings.Cut(text, end)
	opened := strings.HasPrefix(text, open)
	answered := strings.HasPrefix(text, "{") || strings.HasPrefix(text, "```") || strings.Contains(before, open)
	if !closed || (!opened && answered) {
		return text
	}
	return strings.TrimSpace(rest)
}

func stripFences(text string) string {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "```") || !strings.HasSuffix(text, "```") || len(text) < 6 {
		return text
	}
	inner := text[3 : len(text)-3]
	if strings.Contains(inner, "```") {
		return text // two fenced blocks with prose between them, not one around everything
	}
	if _, body, found := strings.Cut(inner, "\n"); found {
		return strings.TrimSpace(body)
	}
	return strings.TrimSpace(inner)
}

// Proposal is what the agent proposes; never empty.
func (a Answer) Proposal() string { return a.proposal }

// Reasoning is why.
func (a Answer) Reasoning() string { return a.reasoning }

// Score is the agent's own, in [0,1].
func (a Answer) Score() float64 { return a.score }

// Parse says what was wrong with the answer's form; empty when nothing was.
func (a Answer) Parse() string { return a.parse }

// Fit cuts the answer to limit bytes of Go's JSON encoding, the reasoning first: the proposal is what
// was asked for. True when something was cut.
func (a Answer) Fit(limit int) (Answer, bool) {
	proposal, whole := CutEncoded(a.proposal, limit)
	reasoning, all := CutEncoded(a.reasoning, limit-EncodedSize(proposal))
	a.proposal, a.reasoning = proposal, reasoning
	return a, !whole || !all
}

// RestoredAnswer is an answer that was read before and comes back from a history: nothing is checked
// again, so that a stricter rule can't break what is recorded.
func RestoredAnswer(proposal, reasoning string, score float64) Answer {
	return Answer{proposal: proposal, reasoning: reasoning, score: score}
}

// AnswerMaximum is how many bytes of Go's JSON encoding each of n agents may answer with: 64 KiB, and
// 1 MiB together, so that a phase that sends the task and all proposals fits a payload.
func AnswerMaximum(n int) int { return min(64<<10, (1<<20)/max(1, n)) }
