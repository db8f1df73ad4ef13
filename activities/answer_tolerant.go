package activities

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tolerant reads the object that a text starts with as models write it: strings with quotes that aren't
// escaped or are of another kind, literal line ends, comments, values such as 0,8 without quotes, and the colons
// and commas of CJK texts. It finds where the object ends, and writes it with strings as JSON has them. Commas
// too many or too few are left as they are.
type tolerant struct {
	text   string
	at     int
	out    strings.Builder
	opened []byte // braces and brackets
	named  bool   // a name comes next
	bare   bool   // names have no quotes
	read   bool   // it has a value

	lineEnds, commentEnds *finder
	blank                 struct{ from, to int } // the last long white space
}

// written is an object as it was read.
type written struct {
	json string
	size int  // of the text
	open bool // the text, or the block of code around it, ended before the object
}

// tolerantly returns the object that the text starts with, and whether there is one.
func tolerantly(text string) (written, bool) {
	t := tolerant{text: text, lineEnds: newFinder("\n"), commentEnds: newFinder("*/")}
	if !strings.HasPrefix(text, "{") {
		return written{}, false
	}
	for t.at < len(text) && !strings.HasPrefix(text[t.at:], "```") {
		r, width := utf8.DecodeRuneInString(text[t.at:])
		switch r = plain(r); {
		case closing(r) != 0:
			if !t.string(width, closing(r)) {
				return written{}, false
			}
			continue
		case t.commentAt(t.at) > 0:
			t.at += t.commentAt(t.at)
			continue
		case r == '{' || r == '[':
			t.open(byte(r))
		case r == '}' || r == ']':
			if t.opened = t.opened[:len(t.opened)-1]; len(t.opened) == 0 {
				return written{json: t.out.String() + "}", size: t.at + width}, true
			}
		case r == ':':
			t.write(r, width)
			t.named, t.read = false, true
			t.value()
			continue
		case r == ',' || r == ';':
			r, t.named = ',', !t.inList()
		}
		t.write(r, width)
	}
	return written{json: t.out.String() + t.ending(), size: t.at, open: true}, t.read
}

func (t *tolerant) write(r rune, width int) {
	t.out.WriteRune(r)
	t.at += width
}

// ending closes what is open.
func (t *tolerant) ending() string {
	var ending strings.Builder
	for _, opened := range slices.Backward(t.opened) {
		ending.WriteByte(opened + 2) // in ASCII, braces and brackets are two apart
	}
	return ending.String()
}

// plain returns the ASCII form of white space and of the punctuation that CJK texts write wider.
func plain(r rune) rune {
	switch {
	case r == '：':
		return ':'
	case r == '，':
		return ','
	case r == '；':
		return ';'
	case invisible(r):
		return ' '
	}
	return r
}

func invisible(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' }

// first returns the first visible character from here on, in its plain form, and the place after it; 0 if there is none.
func (t *tolerant) first(at int) (character rune, after int) {
	at = t.skipSpace(at)
	if at == len(t.text) {
		return 0, at
	}
	r, width := utf8.DecodeRuneInString(t.text[at:])
	return plain(r), at + width
}

func (t *tolerant) open(with byte) {
	t.opened = append(t.opened, with)
	t.named = with == '{'
	if len(t.opened) == 1 {
		t.bare = bareName.MatchString(t.text[1:])
	}
}

func (t *tolerant) inList() bool { return t.opened[len(t.opened)-1] == '[' }

// The names of fields, and the space after them, have a bound: many quotes may lead to the same name.
const (
	space     = `[\s\p{Z}\x{200b}\x{feff}]*`
	nameEnds  = `[\s\p{Z}\x{200b}\x{feff}]{0,99}[:：]`
	nameQuote = `["'“”„‘’` + "`" + `]`
)

var (
	bareName   = regexp.MustCompile(`^` + space + `[\pL_][\pL\pN_-]{0,99}` + nameEnds)
	quotedName = regexp.MustCompile(`^` + space + nameQuote + `[\pL_][\pL\pN _-]{0,99}` + nameQuote + nameEnds)
	afterClose = regexp.MustCompile(`^(?:$|[\s}\],<` + "`" + `])`)
	listGoesOn = regexp.MustCompile(`^` + space + `[,，\]]`)
	joined     = regexp.MustCompile(`^\s*\+\s*["']`)
	fourHex    = regexp.MustCompile(`^[0-9A-Fa-f]{4}`)
	pythonWord = regexp.MustCompile(`^(?:True|False|None)$`)
)

// value writes a value that is neither JSON nor in quotes as a string.
func (t *tolerant) value() {
	t.at = t.skipSpace(t.at)
	found := strings.TrimSpace(t.text[t.at:t.bareEnd()])
	t.at += len(found)
	t.named = found != ""
	if found == "" || json.Valid([]byte(found)) || pythonWord.MatchString(found) {
		t.out.WriteString(found)
		return
	}
	text, _ := json.Marshal(found) // a text can always be encoded
	t.out.Write(text)
}

// bareEnd returns where a value ends that has no quotes. A comma with digits after it is the decimal comma of 0,8.
func (t *tolerant) bareEnd() int {
	comma := false
	for at := t.at; ; {
		r, width := utf8.DecodeRuneInString(t.text[at:])
		switch {
		case width == 0 || strings.ContainsRune("\"{}[]，\n", r) || t.markedComment(at) > 0:
			return at
		case at == t.at && closing(r) != 0:
			return at
		case r == ',':
			if comma || at == t.at || !digitAt(t.text, at+1) {
				return at
			}
			comma = true
		}
		at += width
	}
}

func digitAt(text string, at int) bool { return at < len(text) && '0' <= text[at] && text[at] <= '9' }

// closing returns the quote that ends a string which begins with r, or 0 if r isn't a quote.
func closing(r rune) rune {
	switch r {
	case '"', '\'', '`':
		return r
	case '“', '„', '”':
		return '”'
	case '‘', '‚', '’':
		return '’'
	}
	return 0
}

// string writes a string as JSON, and reports whether the string has an end.
func (t *tolerant) string(width int, quote rune) bool {
	if triple := strings.Repeat(t.text[t.at:t.at+width], 3); quote < utf8.RuneSelf && strings.HasPrefix(t.text[t.at:], triple) {
		return t.triple(triple)
	}
	t.at += width
	t.out.WriteByte('"')
	for t.at < len(t.text) {
		r, width := utf8.DecodeRuneInString(t.text[t.at:])
		t.at += width
		switch {
		case r == '\\':
			t.escape()
		case (r == quote || (quote == '”' && r == '"')) && t.ends():
			t.out.WriteByte('"')
			t.named = !t.named && !t.inList() && !joined.MatchString(t.text[t.at:])
			return true
		case r == '"' || r < ' ':
			text, _ := json.Marshal(string(r))
			t.out.Write(text[1 : len(text)-1])
		default:
			t.out.WriteString(t.text[t.at-width : t.at])
		}
	}
	return false
}

// triple writes a string as Python has it over several lines.
func (t *tolerant) triple(quotes string) bool {
	rest := t.text[t.at+len(quotes):]
	end := strings.Index(rest, quotes)
	if end < 0 {
		return false
	}
	for strings.HasPrefix(rest[end+1:], quotes) { // a quote of the text comes right before
		end++
	}
	text := rest[:end]
	t.at += 2*len(quotes) + end
	encoded, _ := json.Marshal(text) // a text can always be encoded
	t.out.Write(encoded)
	t.named = false
	return true
}

// jsonEscapes are the characters that JSON allows after a backslash.
const jsonEscapes = `"\/bfnrtu`

// escape writes an escaped character. If JSON doesn't know the escape, the backslash is part of the text.
func (t *tolerant) escape() {
	_, width := utf8.DecodeRuneInString(t.text[t.at:])
	escaped := t.text[t.at : t.at+width]
	t.at += width
	switch {
	case escaped == "'":
		t.out.WriteString(escaped)
	case escaped == "\n":
		t.out.WriteString(`\n`)
	case escaped == "u" && !fourHex.MatchString(t.text[t.at:]):
		t.out.WriteString(`\\u`)
	case escaped != "" && strings.Contains(jsonEscapes, escaped):
		t.out.WriteString(`\` + escaped)
	default:
		t.out.WriteString(`\\` + escaped)
	}
}

// ends reports whether the quote before this place ends its string, by what follows it. A quote within a text is followed
// by more of the text, and not by the next name or the end of the object. An ellipsis may stand before these.
func (t *tolerant) ends() bool {
	at := t.skipSpace(t.skipEllipses(t.skipSpace(t.at)))
	rest := t.text[at:]
	next, after := t.first(at)
	switch {
	case t.named:
		return next == ':'
	case t.inList() && next != 0:
		return listGoesOn.MatchString(rest)
	case next == 0 || (next == '`' && strings.HasPrefix(t.text[after:], "``")): // the closing brace is missing
		return true
	case next == '}':
		return afterClose.MatchString(t.text[after:])
	case next == ',':
		return t.goesOn(after)
	case next == ';':
		return quotedName.MatchString(t.text[after:])
	}
	return t.markedComment(at) > 0 || joined.MatchString(rest) || quotedName.MatchString(rest)
}

// goesOn reports whether the comma before this place is one of the object, by what follows it.
func (t *tolerant) goesOn(at int) bool {
	at = t.skipSpace(at)
	at = t.skipSpace(at + t.commentAt(at))
	next, _ := t.first(at)
	return next == 0 || next == '}' || quotedName.MatchString(t.text[at:]) || (t.bare && bareName.MatchString(t.text[at:]))
}
