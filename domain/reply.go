package domain

import (
	"slices"
	"strings"
)

// reply is a completion without its thoughts.
type reply struct {
	object Decoded // the last complete object of the wanted shape
	found  bool    // whether there is such an object
	text   string  // everything except the thoughts
}

// readReply reads leniently, so that an answer that was paid for isn't thrown away. Thoughts aren't the
// answer, unless nothing else came and they contain the object. Every wanted object has a field of the name.
func readReply(done Completion, name string, decode DecodeObject, wanted func(Object) bool) reply {
	if blank(done.Text) {
		divided, object, found := lastObject(done.ReasoningText, name, decode, wanted)
		return reply{object: object.Decoded, found: found && divided.isAnswer(object)}
	}
	divided, object, found := lastObject(done.Text, name, decode, wanted)
	if found && done.partial() && begins(done.Text[object.to:], name) {
		found = false // the object is an earlier draft; the answer after it was cut
	}
	return reply{object: object.Decoded, found: found, text: divided.answer()}
}

// lastObject returns the last object outside of the thoughts. If there is no text outside, the object may be
// within them.
func lastObject(text, name string, decode DecodeObject, wanted func(Object) bool) (division, placed, bool) {
	objects := objectsIn(text, name, decode, wanted)
	divided := divide(text, objects)
	onlyThoughts := divided.answer() == ""
	for _, object := range slices.Backward(objects) {
		if !divided.thinks(object.from) || (onlyThoughts && divided.isAnswer(object)) {
			return divided, object, true
		}
	}
	return divided, placed{}, false
}

// begins reports whether an object with a field of the name begins in the text.
func begins(text, name string) bool {
	start := objectStart.FindString(text)
	_, rest, begun := strings.Cut(text, start)
	return start != "" && begun && lastMention(start+rest, name) > 0
}
