package domain

import (
	"regexp"
	"slices"
	"strings"
)

// Values of `metadata.parse` for an answer that isn't in the form that was asked for. Those for a score are in
// score.go.
const (
	ParsePlainText = "plain_text" // no object: the text is the proposal
	ParseRepaired  = "repaired"   // the object wasn't JSON
)

// Answer is what was read from a model's answer.
type Answer struct {
	proposal  string  // never empty
	reasoning string  // why the agent proposes it
	score     float64 // the agent's score of its own proposal, in [0,1]
	short     string  // what is counted if the council votes
	parse     string  // how it was read; empty when it was in the form that was asked for
	given     string  // a score that couldn't be read, as the model wrote it
}

func (a Answer) Proposal() string  { return a.proposal }
func (a Answer) Reasoning() string { return a.reasoning }
func (a Answer) Score() float64    { return a.score }
func (a Answer) Short() string     { return a.short }
func (a Answer) Parse() string     { return a.parse }

// ReadAnswer reads a proposal, and reports whether there is one; if not, the failure says why. The last
// complete object with a proposal counts. Without such an object the text is the proposal, with score 0.
func ReadAnswer(done Completion, decode DecodeObject) (Answer, TurnFailure, bool) {
	var empty, unfilled bool
	said := readReply(done, "proposal", decode, func(object Object) bool {
		proposal, given := object["proposal"]
		nothing, form := given && blank(proposal.Text), isForm(proposal)
		empty, unfilled = empty || nothing, unfilled || form
		return given && !nothing && !form
	})
	switch text := stripFences(said.text); {
	case said.found:
		return answerOf(said.object), TurnFailure{}, true
	case done.cut():
		return Answer{}, done.cutFailure(said.text), false
	case done.FinishReason == "" && text != "":
		return Answer{}, NewTurnFailure(ModelUnavailable, "the stream ended without a finish_reason, and the answer is not complete", true), false
	case said.brokeOff:
		return noAnswer("the last object of the answer has no end")
	case unfilled:
		return noAnswer("the answer is the form that was asked for, not filled in")
	case text != "" && !empty:
		return Answer{proposal: text, parse: ParsePlainText}, TurnFailure{}, true
	case said.text == "" && !blank(done.Text+done.ReasoningText):
		return noAnswer("only the model's reasoning came, and no answer")
	}
	return noAnswer("the answer has an empty proposal")
}

func noAnswer(why string) (Answer, TurnFailure, bool) {
	return Answer{}, NewTurnFailure(InvalidOutput, why, true), false
}

func answerOf(decoded Decoded) Answer {
	score, how := readScore(decoded.Object["score"])
	var parse []string
	if decoded.Repaired {
		parse = append(parse, ParseRepaired)
	}
	if how != "" {
		parse = append(parse, how)
	}
	given := ""
	if how == ParseScoreInvalid {
		given = decoded.Object["score"].Text
	}
	return Answer{
		proposal:  strings.TrimSpace(decoded.Object["proposal"].Text),
		reasoning: strings.TrimSpace(decoded.Object["reasoning"].Text),
		short:     shortAnswer(decoded.Object["answer"]),
		score:     score, parse: strings.Join(parse, ", "), given: given,
	}
}

// isForm reports whether a proposal is only the placeholder of the prompt or the schema.
func isForm(proposal Value) bool {
	switch proposal.Kind {
	case ValueObject:
		types := []string{"string", "object", "array", "number", "integer", "boolean"}
		return proposal.Fields["type"].Kind == ValueText && slices.Contains(types, proposal.Fields["type"].Text)
	case ValueText:
		placeholders := []string{"your proposal", "your proposal here", "proposal", "the proposal", "the final answer", "string", "text", "...", "…"}
		return placeholder.MatchString(proposal.Text) || slices.Contains(placeholders, strings.ToLower(strings.Trim(proposal.Text, "<>[]{} \t\n")))
	case ValueOther, ValueNumber, ValueList:
	}
	return false
}

// placeholder matches one that the model worded itself.
var placeholder = regexp.MustCompile(`^\s*<[^<>/\n]{1,80}>\s*$`)

// answerTag matches a text that some models put into a tag after their thoughts.
var answerTag = regexp.MustCompile(`(?is)^<(?:final_?)?answer>\s*(.*?)\s*</(?:final_?)?answer>$`)

// stripFences takes off what encloses the whole text.
func stripFences(text string) string {
	text = strings.TrimSpace(text)
	if within := answerTag.FindStringSubmatch(text); within != nil {
		text = within[1]
	}
	if !strings.HasPrefix(text, "```") || !strings.HasSuffix(text, "```") || len(text) < 6 {
		return text
	}
	inner := text[3 : len(text)-3]
	if strings.Contains(inner, "```") {
		return text // several fenced blocks, not one around everything
	}
	if _, body, found := strings.Cut(inner, "\n"); found {
		return strings.TrimSpace(body)
	}
	return strings.TrimSpace(inner)
}

// Fit cuts the answer to limit bytes of Go's JSON encoding, and reports whether something was cut. It cuts the
// reasoning first: the proposal is what was asked for.
func (a Answer) Fit(limit int) (Answer, bool) {
	limit -= EncodedSize(a.short)
	proposal, whole := CutEncoded(a.proposal, limit)
	reasoning, all := CutEncoded(a.reasoning, limit-EncodedSize(proposal))
	a.proposal, a.reasoning = proposal, reasoning
	return a, !whole || !all
}

// RestoredAnswer makes an answer of values that a history recorded. It checks nothing: a rule that became
// stricter must not break a recorded run.
func RestoredAnswer(proposal, reasoning string, score float64) Answer {
	return Answer{proposal: proposal, reasoning: reasoning, score: score}
}

// WithShort returns the answer with what is counted if the council votes.
func (a Answer) WithShort(short string) Answer {
	a.short = short
	return a
}
