package activities

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// tolerant reads the object that a text starts with as models write it: strings with quotes that aren't
// escaped or are of another kind, literal line ends, comments, and values such as 0,8 without quotes. It
// finds where the object ends, and writes it with strings as JSON has them. Commas are left as they are.
type tolerant struct {
	text   string
	at     int
	out    strings.Builder
	opened []byte // braces and brackets
	named  bool   // a name comes next
	bare   bool   // names have no quotes
}

// tolerantly returns the size of the object, the object with its strings as JSON, and whether it has an end.
func tolerantly(text string) (size int, written string, whole bool) {
	t := tolerant{text: text}
	if !strings.HasPrefix(text, "{") {
		return 0, "", false
	}
	for t.at < len(text) {
		r, width := utf8.DecodeRuneInString(text[t.at:])
		switch {
		case closing(r) != 0:
			if !t.string(width, closing(r)) {
				return 0, "", false
			}
			continue
		case comment.MatchString(text[t.at:]):
			t.at += len(comment.FindString(text[t.at:]))
			continue
		case r == '{' || r == '[':
			t.open(byte(r))
		case r == '}' || r == ']':
			if t.opened = t.opened[:len(t.opened)-1]; len(t.opened) == 0 {
				return t.at + width, t.out.String() + "}", true
			}
		case r == ':':
			t.copy(width)
			t.named = false
			t.value()
			continue
		case r == ',':
			t.named = !t.inList()
		}
		t.copy(width)
	}
	return 0, "", false
}

func (t *tolerant) copy(width int) {
	t.out.WriteString(t.text[t.at : t.at+width])
	t.at += width
}

func (t *tolerant) open(with byte) {
	t.opened = append(t.opened, with)
	t.named = with == '{'
	if len(t.opened) == 1 {
		t.bare = bareName.MatchString(t.text[1:])
	}
}

func (t *tolerant) inList() bool { return t.opened[len(t.opened)-1] == '[' }

var (
	comment    = regexp.MustCompile(`^(?://[^\n]*|#[^\n]*|/\*(?s:.*?)\*/)`)
	bareName   = regexp.MustCompile(`^\s*[\pL_][\pL\pN_-]*\s*:`)
	quotedName = regexp.MustCompile(`^\s*["'“”„‘’` + "`" + `][\pL_][\pL\pN _-]*["'“”„‘’` + "`" + `]\s*:`)
	afterClose = regexp.MustCompile(`^(?:$|[\s}\],<` + "`" + `])`)
	listGoesOn = regexp.MustCompile(`^\s*[,\]]`)
	joined     = regexp.MustCompile(`^\s*\+\s*["']`)
	pythonWord = regexp.MustCompile(`^(?:True|False|None)$`)
	// valueComment is a comment after a value without quotes.
	valueComment = regexp.MustCompile(`//|/\*|#`)
	bareValue    = regexp.MustCompile(`^[^"'“”„‘’` + "`" + `{}\[\],\n]+(?:,\d+)?[^"{}\[\],\n]*`)
)

// value writes a value that is neither JSON nor in quotes as a string.
func (t *tolerant) value() {
	rest := strings.TrimLeft(t.text[t.at:], " \t\r\n")
	t.at = len(t.text) - len(rest)
	found := bareValue.FindString(rest)
	if at := valueComment.FindStringIndex(found); at != nil {
		found = found[:at[0]]
	}
	found = strings.TrimSpace(found)
	t.at += len(found)
	t.named = found != ""
	if found == "" || json.Valid([]byte(found)) || pythonWord.MatchString(found) {
		t.out.WriteString(found)
		return
	}
	text, _ := json.Marshal(found) // a text can always be encoded
	t.out.Write(text)
}

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
	t.at += width
	t.out.WriteByte('"')
	for t.at < len(t.text) {
		r, width := utf8.DecodeRuneInString(t.text[t.at:])
		t.at += width
		switch {
		case r == '\\':
			t.escape()
		case (r == quote || (quote == '”' && r == '"')) && t.ends(t.text[t.at:]):
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
	case escaped != "" && strings.Contains(jsonEscapes, escaped):
		t.out.WriteString(`\` + escaped)
	default:
		t.out.WriteString(`\\` + escaped)
	}
}

// ends reports whether a quote ends its string, by what follows it. A quote within a text is followed by more
// of the text, and not by the next name or the end of the object.
func (t *tolerant) ends(rest string) bool {
	trimmed := strings.TrimLeft(rest, " \t\r\n")
	switch {
	case t.named:
		return strings.HasPrefix(trimmed, ":")
	case t.inList():
		return listGoesOn.MatchString(rest)
	case strings.HasPrefix(trimmed, "}"):
		return afterClose.MatchString(trimmed[1:])
	case strings.HasPrefix(trimmed, ","):
		next := comment.ReplaceAllString(strings.TrimLeft(trimmed[1:], " \t\r\n"), "")
		return strings.HasPrefix(strings.TrimSpace(next), "}") || quotedName.MatchString(next) || (t.bare && bareName.MatchString(next))
	}
	return comment.MatchString(trimmed) || joined.MatchString(rest) || quotedName.MatchString(rest)
}
