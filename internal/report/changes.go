package report

import (
	"slices"
	"strings"
	"unicode"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// mostCompared bounds a comparison by the product of the units of both texts: it may take a step for each pair. A
// comparison that was cut by the clock would differ from one machine to the next.
const mostCompared = 16_000_000

// changes compares two texts word by word. It compares large texts line by line first, and then only the words of
// lines that differ.
func changes(before, after string) []Change {
	if found, compared := compare(words(before), words(after)); compared {
		return merged(found)
	}
	lines, compared := compare(slices.Collect(strings.Lines(before)), slices.Collect(strings.Lines(after)))
	if !compared {
		return []Change{{"removed", before}, {"added", after}} // nothing is known to have stayed
	}
	var all []Change
	for i := 0; i < len(lines); i++ {
		if i+1 == len(lines) || lines[i].Kind != "removed" || lines[i+1].Kind != "added" {
			all = append(all, lines[i])
			continue
		}
		found, compared := compare(words(lines[i].Text), words(lines[i+1].Text))
		if !compared {
			found = lines[i : i+2]
		}
		all = append(all, found...)
		i++
	}
	return merged(all)
}

var kinds = map[diffmatchpatch.Operation]string{
	diffmatchpatch.DiffEqual: "same", diffmatchpatch.DiffInsert: "added", diffmatchpatch.DiffDelete: "removed",
}

// compare compares two texts unit by unit, unless that could take too long.
func compare(before, after []string) (found []Change, compared bool) {
	first := sameStart(before, after)
	last := sameEnd(before[first:], after[first:])
	if (len(before)-first-last)*(len(after)-first-last) > mostCompared {
		return nil, false
	}
	codes := coder{codes: map[string]rune{}}
	differ := diffmatchpatch.New()
	differ.DiffTimeout = 0 // none
	for _, diff := range differ.DiffMainRunes(codes.encode(before), codes.encode(after), false) {
		found = append(found, Change{kinds[diff.Type], codes.decode(diff.Text)})
	}
	return found, true
}

func sameStart(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func sameEnd(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// merged joins changes with only white space between them, so that a rewritten phrase is one change.
func merged(changes []Change) []Change {
	out := []Change{}
	removed, added := "", ""
	flush := func() {
		if removed != "" {
			out = append(out, Change{"removed", removed})
		}
		if added != "" {
			out = append(out, Change{"added", added})
		}
		removed, added = "", ""
	}
	for i, change := range changes {
		switch {
		case change.Kind == "removed":
			removed += change.Text
		case change.Kind == "added":
			added += change.Text
		case strings.TrimSpace(change.Text) == "" && i > 0 && i < len(changes)-1 && !strings.Contains(change.Text, "\n"):
			removed += change.Text
			added += change.Text
		default:
			flush()
			out = append(out, change)
		}
	}
	flush()
	return out
}

// coder gives each unit a character of its own, since the library compares characters.
type coder struct {
	codes map[string]rune
	words []string
}

const (
	surrogates    = 0xD800 // no characters from here
	notSurrogates = 0xE000 // to here
)

func (c *coder) encode(units []string) []rune {
	var encoded []rune
	for _, word := range units {
		code, known := c.codes[word]
		if !known {
			code = rune(len(c.words)) //nolint:gosec // a proposal has fewer words than there are characters
			if code >= surrogates {
				code += notSurrogates - surrogates
			}
			c.codes[word], c.words = code, append(c.words, word)
		}
		encoded = append(encoded, code)
	}
	return encoded
}

func (c *coder) decode(encoded string) string {
	var text strings.Builder
	for _, code := range encoded {
		if code >= notSurrogates {
			code -= notSurrogates - surrogates
		}
		text.WriteString(c.words[code])
	}
	return text.String()
}

// words splits a text into words, white space and marks, without losing anything.
func words(text string) []string {
	var all []string
	begin, class := 0, 0
	for i, r := range text {
		next := 1
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			next = 2
		case unicode.IsSpace(r):
			next = 3
		}
		if i > 0 && (next != class || next == 1) {
			all, begin = append(all, text[begin:i]), i
		}
		class = next
	}
	return append(all, text[begin:])
}
