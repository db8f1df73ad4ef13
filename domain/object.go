package domain

import (
	"regexp"
	"slices"
	"strings"
)

// Value is a decoded JSON value of a model's answer.
type Value struct {
	Kind   ValueKind
	Text   string // a text itself; of every other value its JSON
	Items  []Value
	Fields Object
}

// ValueKind is the JSON type of a [Value]. The zero value stands for null, true and false, and for no value.
type ValueKind int

// Kinds of values.
const (
	ValueOther ValueKind = iota
	ValueText
	ValueNumber
	ValueList
	ValueObject
)

// Object is a decoded JSON object, its names in lower case: models change the case of names.
type Object map[string]Value

// Decoded is an object that a text starts with.
type Decoded struct {
	Object   Object
	Size     int  // how many bytes of the text it takes
	Repaired bool // it had mistakes of the kind that models make
}

// DecodeObject decodes the complete object that a text starts with, and reports whether there is one. The
// domain knows no JSON: whoever reads an answer passes the decoder in.
type DecodeObject func(text string) (Decoded, bool)

// mostDecoded bounds how many places an object is decoded at: each try may read the rest of the text.
const mostDecoded = 32

// objectStart matches a brace that may begin an object: a name follows.
var objectStart = regexp.MustCompile(`\{\s*(?:["'“”„‘’` + "`" + `]|[\pL_]|//|/\*|#)`)

// placed is a decoded object and where it stands.
type placed struct {
	Decoded
	span
}

// objectsIn returns the complete objects of the wanted shape, in the order of the text. An object within
// another one of the shape isn't one of its own. Every wanted object has a field of the name. Where a text
// has too many braces the last ones are looked at, since what comes last is the answer.
func objectsIn(text, name string, decode DecodeObject, wanted func(Object) bool) []placed {
	var found []placed // the last one first
	starts := objectStart.FindAllStringIndex(text[:min(len(text), lastMention(text, name)+1)], -1)
	for tries := 0; tries < mostDecoded && tries < len(starts); tries++ {
		from := starts[len(starts)-1-tries][0]
		decoded, complete := decode(text[from:])
		if !complete || !wanted(decoded.Object) {
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

// lastMention is where a name stands for the last time, in any case. No object that starts later has it.
func lastMention(text, name string) int {
	for at := len(text) - len(name); at >= 0; at-- {
		if strings.EqualFold(text[at:at+len(name)], name) {
			return at
		}
	}
	return 0
}
