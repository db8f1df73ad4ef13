package domain

import (
	"regexp"
	"slices"
	"strings"
)

// Value is a decoded JSON value of a model's answer.
type Value struct {
	Kind   ValueKind
	Text   string // the text of a string; the JSON of every other value
	Items  []Value
	Fields Object
}

// ValueKind is the JSON type of a [Value]. The zero value stands for null, true, false and a missing value.
type ValueKind int

// Kinds of values.
const (
	ValueOther ValueKind = iota
	ValueText
	ValueNumber
	ValueList
	ValueObject
)

// Object is a decoded JSON object. Its names are in lower case, since models change the case of names.
type Object map[string]Value

// Decoded is the object at the start of a text.
type Decoded struct {
	Object   Object
	Size     int  // the bytes of the text that the object takes
	Repaired bool // the object wasn't JSON, and was repaired
	Open     bool // the text ended before the object, outside of its strings: only closing braces are missing
}

// DecodeObject decodes the complete object at the start of a text, and reports whether there is one. The
// domain knows no JSON, so the caller passes the decoder in.
type DecodeObject func(text string) (Decoded, bool)

// completeOnly returns a decoder that refuses objects without an end.
func (d DecodeObject) completeOnly() DecodeObject {
	return func(text string) (Decoded, bool) {
		decoded, complete := d(text)
		return decoded, complete && !decoded.Open
	}
}

// mostDecoded bounds the number of places at which decoding is tried: each try may read the rest of the text.
const mostDecoded = 32

// objectStart matches a brace that may begin an object: a name follows, perhaps in quotes that are escaped.
var objectStart = regexp.MustCompile(`\{(?:[\s\p{Z}\x{200b}\x{feff}]|\\+[nrt])*(?:\\*["'“”„‘’` + "`" + `]|[\pL_]|//|/\*|#|&(?:quot|apos|#34|#39);)`)

// placed is a decoded object with its place in the text.
type placed struct {
	Decoded
	span
}

// objectsIn returns the complete objects of the wanted shape, in the order of the text. It leaves out an
// object within another wanted one, and one without an end before another. Every wanted object must have a field
// of the name. If a text has too many braces, only the last ones are tried: the answer comes last.
func objectsIn(text, name string, decode DecodeObject, wanted func(Object) bool) []placed {
	var found []placed // the last one first
	starts := objectStart.FindAllStringIndex(text[:min(len(text), lastMention(text, name)+1)], -1)
	for tries := 0; tries < mostDecoded && tries < len(starts); tries++ {
		from := starts[len(starts)-1-tries][0]
		decoded, complete := decode(text[from:])
		if !complete || !wanted(decoded.Object) || (decoded.Open && len(found) > 0) {
			continue
		}
		to := from + decoded.Size
		for len(found) > 0 && found[len(found)-1].to <= to { // the objects within this one
			found = found[:len(found)-1]
		}
		found = append(found, placed{decoded, span{from, to}})
	}
	slices.Reverse(found)
	return found
}

// lastMention returns the last place of a name in the text, in upper or lower case. No object that starts
// after it has a field of that name.
func lastMention(text, name string) int {
	for at := len(text) - len(name); at >= 0; at-- {
		if strings.EqualFold(text[at:at+len(name)], name) {
			return at
		}
	}
	return 0
}
