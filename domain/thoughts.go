package domain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Models mark their thoughts by tags, brackets or channels. A server that doesn't know its model's marks
// leaves the thoughts in the answer.
const thoughtName = `(?:[a-z0-9]+[:_.-])*(?:ant|inner)?` +
	`(?:think(?:ing)?|thoughts?|reasoning|reflections?|analysis|scratch_?pad|monologue|brainstorm(?:ing)?|drafts?)` +
	`(?:[:_.-][a-z0-9]+)*`

// markKind says what a mark means.
type markKind int

const (
	thoughtBegins markKind = iota
	thoughtMayEnd          // if one has begun
	turnToken              // the same, and it is never part of an answer
	thoughtEnds            // also if their beginning isn't marked
)

// thoughtMarks are the marks of the families of models. If two match at one place, the longer one counts.
var thoughtMarks = map[markKind]*regexp.Regexp{
	thoughtBegins: anyOf(
		`<\|?`+thoughtName+`(?:\s[^<>]{0,99})?\|?>`,      // <think>, <|begin_of_thought|>, <seed:think>
		`\[`+thoughtName+`\]`, `[◁【]`+thoughtName+`[▷】]`, // [THINK], ◁think▷
		`<details\s[^<>]{0,99}reasoning[^<>]{0,99}>`, `<unused94>`,
		`<(?:\|channel\|?|channel\|)>\s*(?:analysis|commentary|thoughts?|thinking)(?:<\|message\|>)?`,
		`^\s*analysis[A-Z]`, // a channel whose marks were removed
	),
	thoughtMayEnd: anyOf(`</details>`),
	turnToken:     anyOf(`<\|(?:end|start|return|call|message|im_start|im_end|eot_id|endoftext)\|>(?:assistant)?`),
	thoughtEnds: anyOf(
		`<\|?(?:/|end[:_.-])`+thoughtName+`\|?>`, `\[/`+thoughtName+`\]`, `[◁【]/`+thoughtName+`[▷】]`,
		`<unused95>`, `<(?:\|channel\|?|channel\|)>\s*(?:final)?(?:<\|message\|>)?`, `assistantfinal`,
	),
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
// that nothing comes before it: a tag in the middle of a text may be what the text is about.
func divide(text string, objects []placed) division {
	d := division{text: text, marks: marksIn(text, objects)}
	begun := -1
	for _, m := range d.marks {
		switch {
		case m.kind == thoughtBegins && begun < 0:
			begun = m.from
		case m.kind == thoughtBegins: // within thoughts
		case begun >= 0:
			d.thoughts = append(d.thoughts, span{begun, m.to})
			begun = -1
		case m.kind == thoughtEnds:
			d.thoughts = []span{{0, m.to}}
		}
	}
	if begun >= 0 && blank(without(text[:begun], d.thoughts)) {
		d.thoughts, d.open = append(d.thoughts, span{begun, len(text)}), true
	}
	return d
}

// thinks reports whether a place is within thoughts.
func (d division) thinks(at int) bool {
	return slices.ContainsFunc(d.thoughts, func(s span) bool { return s.from <= at && at < s.to })
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
