package view

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// reading turns the JSON of an answer, which comes in pieces, into text for people: a line for each field, without
// braces, quotes and escapes. Text that isn't a JSON object stays as it is.
type reading struct {
	mode    readingMode
	inside  string // the brackets that are open
	name    bool   // the next string, or this one, is the name of a field
	escape  string // what has come of an escape sequence
	high    rune   // the first half of a surrogate pair
	written bool
}

type readingMode int

const (
	readsStart readingMode = iota
	readsJSON
	readsString
	readsPlain
)

// readsOn is the reading after a gap: nobody knows whether it is in a string.
var readsOn = reading{mode: readsPlain}

// read returns the text of the next piece.
func (r *reading) read(piece string) string {
	var text strings.Builder
	for _, c := range piece {
		switch r.mode {
		case readsStart:
			r.start(c, &text)
		case readsJSON:
			r.json(c, &text)
		case readsString:
			r.string(c, &text)
		case readsPlain:
			text.WriteRune(c)
		}
	}
	r.written = r.written || text.Len() > 0
	return text.String()
}

func (r *reading) start(c rune, text *strings.Builder) {
	switch {
	case strings.ContainsRune(" \t\r\n", c):
	case c == '{':
		r.mode = readsJSON
		r.json(c, text)
	default:
		r.mode = readsPlain
		text.WriteRune(c)
	}
}

func (r *reading) json(c rune, text *strings.Builder) {
	list := strings.HasSuffix(r.inside, "[")
	switch c {
	case '{':
		if list {
			text.WriteByte('\n')
		}
		r.open(c, text)
	case '[':
		r.open(c, text)
	case '}', ']':
		if r.inside = r.inside[:max(0, len(r.inside)-1)]; r.inside == "" {
			r.mode = readsPlain
		}
	case ',':
		r.name = !list
		if list {
			text.WriteByte(' ')
		}
	case ':':
		r.name = false
	case '"':
		r.mode = readsString
		if r.name && (r.written || text.Len() > 0) {
			text.WriteByte('\n')
		}
	case ' ', '\t', '\r', '\n':
	default:
		text.WriteRune(c)
	}
}

// nestingMost bounds the open brackets: each further one copies them all.
const nestingMost = 1000

func (r *reading) open(bracket rune, text *strings.Builder) {
	if len(r.inside) == nestingMost {
		r.mode = readsPlain
		text.WriteRune(bracket)
		return
	}
	r.inside += string(bracket)
	r.name = bracket == '{'
}

func (r *reading) string(c rune, text *strings.Builder) {
	switch {
	case r.escape != "":
		r.escape += string(c)
		r.unescape(text)
	case c == '\\':
		r.escape = `\`
	case c == '"':
		r.mode = readsJSON
		if r.name {
			text.WriteString(": ")
		}
	default:
		text.WriteRune(c)
	}
}

// unescape writes the character of the escape sequence once it is complete.
func (r *reading) unescape(text *strings.Builder) {
	unicode := r.escape[1] == 'u'
	if unicode && len(r.escape) < len(`\u0000`) {
		return
	}
	sequence := r.escape
	r.escape = ""
	if !unicode {
		text.WriteString(strings.NewReplacer("n", "\n", "t", "\t", "r", "", "b", "", "f", "").Replace(sequence[1:]))
		return
	}
	code, err := strconv.ParseUint(sequence[2:], 16, 16)
	switch c := rune(code); {
	case err != nil:
		text.WriteString(sequence)
	case r.high != 0:
		text.WriteRune(utf16.DecodeRune(r.high, c))
		r.high = 0
	case utf16.IsSurrogate(c):
		r.high = c
	default:
		text.WriteRune(c)
	}
}
