package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// noJSON returns where and why a text isn't one JSON value, or nothing if it is one.
func noJSON(text []byte) string {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return "it begins with a byte order mark (BOM); it must be UTF-8 without one"
		}
	}
	if at := invalidUTF8(text); at >= 0 {
		return place(text, at) + ": it is not UTF-8"
	}
	err := json.Unmarshal(text, &json.RawMessage{})
	if err == nil {
		return ""
	}
	syntax, is := errors.AsType[*json.SyntaxError](err)
	if !is {
		return err.Error()
	}
	reason, at := syntax.Error(), int(syntax.Offset)
	switch {
	case strings.HasSuffix(reason, "after top-level value"):
		reason = "more than one JSON value"
	case strings.HasPrefix(reason, "unexpected end"):
		return place(text, at) + ": it ends too early"
	}
	return place(text, at-1) + ": " + reason // the offset is that of the next byte
}

// invalidUTF8 returns the place of the first byte that isn't UTF-8, or -1. The decoder would replace it without a word.
func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	at := 0
	for {
		r, width := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && width <= 1 {
			return at
		}
		at += width
	}
}

// place returns the line and the column of a byte, both counted from 1, columns in characters.
func place(text []byte, at int) string {
	before := text[:max(0, min(at, len(text)))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(line)+1)
}

// decode decodes a value of a text that is known to be JSON. It adds a fault for each name that an object has
// twice: the standard decoder would silently take the last one.
func (r *reading) decode(path string, tokens *json.Decoder) any {
	token, err := tokens.Token()
	if err != nil {
		r.stuck = true
		return nil
	}
	var decoded any
	switch token {
	case json.Delim('{'):
		decoded = r.decodeFields(path, tokens)
	case json.Delim('['):
		items := []any{}
		for !r.stuck && tokens.More() {
			items = append(items, r.decode(fmt.Sprintf("%s[%d]", path, len(items)), tokens))
		}
		decoded = items
	default:
		return token
	}
	_, _ = tokens.Token() // the end of the object or list
	return decoded
}

func (r *reading) decodeFields(path string, tokens *json.Decoder) map[string]any {
	fields := map[string]any{}
	for !r.stuck && tokens.More() {
		token, err := tokens.Token()
		name, isName := token.(string)
		if err != nil || !isName {
			r.stuck = true
			break
		}
		at := join(path, shortName(name))
		if _, twice := fields[name]; twice {
			r.Add(at, "is given more than once")
		}
		fields[name] = r.decode(at, tokens)
	}
	return fields
}
