package domain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Models mark their thoughts by tags, brackets, channels or words. A server that doesn't know its model's marks
// leaves the thoughts in the answer. A proxy may have escaped the tags.
const (
	thoughtName = `(?:[a-z0-9]+[:_.▁-])*(?:ant|inner)?` +
		`(?:think(?:ing)?|thoughts?|reasoning|reflections?|analysis|scratch_?pad|monologue|brainstorm(?:ing)?|drafts?|` +
		`cot|rationale|planning|deliberation|contemplation|ponder(?:ing)?|思考)` +
		`(?:[:_.▁-][a-z0-9]+)*`
	opens, closes = `(?:\\?<|&lt;)[|｜]?`, `[|｜]?(?:\\?>|&gt;)`
	channel       = `<(?:\|channel\|?|channel\|)>\s*`
	// channelHead is the rest of a channel's head: whom it is for, and in which form.
	channelHead = `(?:[^<]{0,99}(?:<\|constrain\|>[^<]{0,20})?<\|message\|>)?`
)

// markKind says what a mark means.
type markKind int

const (
	thoughtBegins markKind = iota
	fenceBegins            // a block of code that has thoughts instead
	fenceEnds
	commentBegins
	commentEnds
	headingBegins // thoughts under a heading, if the answer has one too
	headingEnds
	thoughtMayEnd // if one has begun
	turnToken     // the same, and it is never part of an answer
	thoughtEnds   // also if their beginning isn't marked
)

// thoughtMarks are the marks of the families of models. If two match at one place, the longer one counts.
var thoughtMarks = map[markKind]*regexp.Regexp{
	thoughtBegins: anyOf(
		opens+thoughtName+`(?:\s[^<>]{0,99})?`+closes,                           // <think>, <|begin_of_thought|>, <seed:think>
		`\[`+thoughtName+`\]`, `[◁【]`+thoughtName+`[▷】]`, `\{`+thoughtName+`\}`, // [THINK], ◁think▷
		`<details\s[^<>]{0,99}reasoning[^<>]{0,99}>`, `<details>\s*<summary>[^<>]{0,40}(?:think|thought|reason)`,
		`<unused94>`, `<\|inner_prefix\|>`,
		channel+`(?:analysis|commentary|thoughts?|thinking)`+channelHead,
		`^\s*analysis[A-Z]`, // a channel whose marks were removed
	),
	fenceBegins:   anyOf("(?m:^)```" + thoughtName + `\s*\n`),
	fenceEnds:     anyOf("(?m:^)```[ \t]*(?m:$)"),
	commentBegins: anyOf(`<!--\s*` + thoughtName),
	commentEnds:   anyOf(`-->`),
	headingBegins: anyOf(`^\s*(?:#{1,6}\s*|\*\*)`+thoughtName+`(?:\s+process)?\s*:?\s*(?:\*\*)?:?\s`,
		`^\s*here(?:'s| is) my thought process:`, `^\s*thinking\.\.\.`),
	headingEnds: anyOf(`(?m:^)\s*(?:#{1,6}\s*|\*\*)(?:final\s+)?(?:answer|response|output)\s*:?\s*(?:\*\*)?:?\s`,
		`here(?:'s| is) my response:`, `\.\.\.\s?done thinking\.`),
	thoughtMayEnd: anyOf(`</details>`),
	turnToken: anyOf(
		`<\|(?:end|start|return|call|message|im_start|im_end|eot_id|eom_id|endoftext|end_of_turn)\|>(?:assistant)?`,
		`<\|constrain\|>\w*`, `<\|(?:begin|end)_of_(?:solution|answer|box)\|>`,
		`<｜(?:(?:begin|end)▁of▁sentence|assistant|user)｜>`, `<end_of_turn>`, `</s>\s*$`,
	),
	thoughtEnds: anyOf(
		opens+`\s*(?:\\?/|end[:_.▁-])`+thoughtName+`\s*`+closes, opens+thoughtName+`[:_.▁-](?:end|close|stop)`+closes,
		`\[(?:/|end[ _-])`+thoughtName+`\]`, `[◁【]/`+thoughtName+`[▷】]`, `\{/`+thoughtName+`\}`,
		`<unused95>`, `<\|inner_suffix\|>`, channel+`(?:final`+channelHead+`)?(?:<\|message\|>)?`, `assistantfinal`,
	),
}

// endOf are the kinds of marks that only one kind ends.
var endOf = map[markKind]markKind{fenceBegins: fenceEnds, commentBegins: commentEnds, headingBegins: headingEnds}

// ends reports whether thoughts that one kind of mark began end at another.
func (k markKind) ends(by markKind) bool {
	if end, own := endOf[by]; own {
		return k == end
	}
	return k == thoughtMayEnd || k == turnToken || k == thoughtEnds
}

func anyOf(patterns ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:` + strings.Join(patterns, `|`) + `)`)
}

// span is a part of a text.
type span struct{ from, to int }

// mark is a place where thoughts begin or end.
type mark struct {
	span
	kind markKind
}

// marksIn returns the marks of a text. Within an object a mark is only text.
func marksIn(text string, objects []placed) []mark {
	var all []mark
	for kind, pattern := range thoughtMarks {
		for _, at := range pattern.FindAllStringIndex(text, -1) {
			all = append(all, mark{span{at[0], at[1]}, kind})
		}
	}
	slices.SortFunc(all, func(a, b mark) int {
		return cmp.Or(a.from-b.from, b.to-a.to, int(b.kind-a.kind))
	})
	var marks []mark
	end := 0
	for _, m := range all {
		within := slices.ContainsFunc(objects, func(o placed) bool { return o.from <= m.from && m.from < o.to })
		if !within && m.from >= end {
			marks, end = append(marks, m), m.to
		}
	}
	return marks
}

// division is a text divided into thoughts and the answer.
type division struct {
	text     string
	marks    []mark
	thoughts []span
	open     bool // the last thought has no end
}

// divide finds the thoughts of a text. If only their end is marked, everything before it is thoughts, since
// the chat template began them. If only their beginning is marked, everything after it is thoughts, provided
// that nothing comes before it: a tag in the middle of a text may be what the text is about. The text under a
// heading isn't thoughts if it has the answer.
func divide(text string, objects []placed) division {
	d := division{text: text, marks: marksIn(text, objects)}
	begun, by := -1, thoughtBegins
	for _, m := range d.marks {
		_, own := endOf[m.kind]
		switch begins := own || m.kind == thoughtBegins; {
		case begins && begun < 0:
			begun, by = m.from, m.kind
		case begins: // within thoughts
		case begun >= 0 && by == headingBegins && m.kind.ends(by) && answered(text[:m.from], objects):
			begun = -1
		case begun >= 0 && m.kind.ends(by):
			d.thoughts = append(d.thoughts, span{begun, m.to})
			begun = -1
		case begun < 0 && m.kind == thoughtEnds:
			d.thoughts = []span{{0, m.to}}
		}
	}
	if begun >= 0 && by != headingBegins && blank(without(text[:begun], d.thoughts)) {
		d.thoughts, d.open = append(d.thoughts, span{begun, len(text)}), true
	}
	return d
}

// answered reports whether the last object is within the text, on lines of its own. An object within a line is a draft.
func answered(text string, objects []placed) bool {
	if len(objects) == 0 {
		return false
	}
	last := objects[len(objects)-1]
	return last.to <= len(text) && lineBegins.MatchString(text[:last.from]) && lineEnds.MatchString(text[last.to:])
}

var (
	lineBegins = regexp.MustCompile(`(?:^|\n)[ \t]*$`)
	lineEnds   = regexp.MustCompile(`^[ \t\r]*(?:$|\n)`)
)

// thinks reports whether a place is within thoughts, which are in order. A hostile answer has very many.
func (d division) thinks(at int) bool {
	next, _ := slices.BinarySearchFunc(d.thoughts, at, func(s span, at int) int { return cmp.Compare(s.to, at+1) })
	return next < len(d.thoughts) && d.thoughts[next].from <= at
}

// answer returns the text outside of the thoughts.
func (d division) answer() string {
	left := slices.Clone(d.thoughts)
	for _, m := range d.marks {
		if m.kind == turnToken && !d.thinks(m.from) {
			left = append(left, m.span)
		}
	}
	slices.SortFunc(left, func(a, b span) int { return a.from - b.from })
	return strings.TrimSpace(without(d.text, left))
}

// isAnswer reports whether an object within the thoughts is the answer: the thoughts begin with it, or they
// have no end and it comes last.
func (d division) isAnswer(object placed) bool {
	var marks []span
	for _, m := range d.marks {
		marks = append(marks, m.span)
	}
	before := strings.TrimSpace(without(d.text[:object.from], marks))
	return before == "" || before == "```" || before == "```json" || (d.open && blank(strings.Trim(d.text[object.to:], "` \r\n")))
}

// without returns the text without the spans, which must be in order.
func without(text string, spans []span) string {
	var rest strings.Builder
	at := 0
	for _, s := range spans {
		if from := min(s.from, len(text)); from > at {
			rest.WriteString(text[at:from])
		}
		at = min(max(at, s.to), len(text))
	}
	rest.WriteString(text[at:])
	return rest.String()
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }
