package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// noJSON says where and why a text isn't one JSON value; empty when it is one.
func noJSON(text []byte) string {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return "it begins with a byte order mark (BOM); it must be UTF-8 without one"
		}
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
	return place(text, at-1) + ": " + reason // the offset is behind the byte at fault
}

// place is where a byte is, for people: both numbers count from 1, columns in characters.
func place(text []byte, at int) string {
	before := text[:max(0, min(at, len(text)))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return fmt.Sprintf("line %d, column %d", bytes.Count(before, []byte("\n"))+1, utf8.RuneCount(line)+1)
}

// repeated finds the names that an object has twice: the decoder would silently take the last one. The
// text is JSON; an error only ends the walk.
func (r *reading) repeated(path string, tokens *json.Decoder) error {
	begin, err := tokens.Token()
	if err != nil {
		return err
	}
	switch begin {
	case json.Delim('{'):
		err = r.repeatedIn(path, tokens)
	case json.Delim('['):
		for i := 0; err == nil && tokens.More(); i++ {
			err = r.repeated(fmt.Sprintf("%s[%d]", path, i), tokens)
		}
	default: // a value
		return nil
	}
	if err == nil {
		_, err = tokens.Token() // the end
	}
	return err
}

func (r *reading) repeatedIn(path string, object *json.Decoder) error {
	seen := map[json.Token]bool{}
	for object.More() {
		name, err := object.Token()
		if err != nil {
			return err
		}
		at := join(path, shortName(fmt.Sprint(name)))
		if seen[name] {
			r.Add(at, "is given more than once")
		}
		seen[name] = true
		if err := r.repeated(at, object); err != nil {
			return err
		}
	}
	return nil
}
