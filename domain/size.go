package domain

import "unicode/utf8"

// EncodedSize returns how many bytes Go's JSON encoder writes for a text, without the quotes. Limits of
// payloads apply to this size, in which `<`, `>`, `&` and control characters take 6 bytes each.
func EncodedSize(text string) int {
	size := 0
	for i := 0; i < len(text); {
		width, encoded := encodedRune(text[i:])
		size += encoded
		i += width
	}
	return size
}

// CutEncoded returns the longest start of text whose [EncodedSize] is at most limit, and whether that is
// the whole text. It never cuts a character in two.
func CutEncoded(text string, limit int) (cut string, whole bool) {
	size := 0
	for i := 0; i < len(text); {
		width, encoded := encodedRune(text[i:])
		if size+encoded > limit {
			return text[:i], false
		}
		size += encoded
		i += width
	}
	return text, true
}

func encodedRune(text string) (width, encoded int) {
	const escaped = 6 // \u00XX
	r, width := utf8.DecodeRuneInString(text)
	switch {
	case r == utf8.RuneError && width == 1:
		return width, escaped // the encoder writes \ufffd
	case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
		return width, 2
	case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029':
		return width, escaped
	}
	return width, width
}
