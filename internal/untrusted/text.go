// Package untrusted makes words of models, servers and callers harmless before people read them: on a terminal, in
// markdown, in JSON and in logs. They stay readable, and never more than text.
package untrusted

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	joiner    = '\u200d'
	nonJoiner = '\u200c'
)

// steers reports whether a character can do more than stand there: move the cursor, change the window's title, or
// reverse the reading direction. Control characters include DEL and C1, of which U+009B begins the same sequences
// as ESC [.
func steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// hides reports whether nobody sees a character. Two names that differ in such characters only look the same, and a
// whole text can be hidden in them.
func hides(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// joins reports whether a joiner between two characters does its work, which it never does in ASCII: in emoji, and in
// scripts that join their letters.
func joins(r, before, after rune) bool {
	visible := func(r rune) bool { return r > unicode.MaxASCII && !hides(r) && !unicode.IsSpace(r) && !steers(r) }
	return (r == joiner || r == nonJoiner) && visible(before) && visible(after)
}

// harmful reports whether the character at a place of the text must not be shown as it is.
func harmful(r, before, after rune) bool {
	return r == utf8.RuneError || steers(r) || (hides(r) && !joins(r, before, after))
}

// rewrite replaces each harmful character of the text.
func rewrite(text string, replace func(into *strings.Builder, r rune)) string {
	var out strings.Builder
	before := rune(0)
	for i, r := range text {
		if r < unicode.MaxASCII && r >= ' ' {
			out.WriteByte(byte(r))
			before = r
			continue
		}
		_, width := utf8.DecodeRuneInString(text[i:])
		after, _ := utf8.DecodeRuneInString(text[i+width:])
		if harmful(r, before, after) {
			replace(&out, r)
		} else {
			out.WriteRune(r)
		}
		before = r
	}
	return out.String()
}

// Printable replaces what could steer whoever shows the text, and removes what nobody sees. Line ends and tabs stay.
func Printable(text string) string {
	return rewrite(text, func(into *strings.Builder, r rune) {
		switch {
		case r == '\n' || r == '\t':
			into.WriteRune(r)
		case r == '\r':
		case steers(r) || r == utf8.RuneError:
			into.WriteRune(unicode.ReplacementChar)
		}
	})
}

// Inline returns printable text on one line.
func Inline(text string) string { return strings.Join(strings.Fields(Printable(text)), " ") }

// JSON escapes what could steer a terminal, or what nobody sees. Those who parse it read the same value. In JSON such
// characters stand in strings only; the encoder has escaped those below the space, and line ends and tabs are its own.
func JSON(encoded string) string {
	return rewrite(encoded, func(into *strings.Builder, r rune) {
		if r < ' ' || r == utf8.RuneError {
			into.WriteRune(r)
			return
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(into, `\u%04x`, unit)
		}
	})
}
