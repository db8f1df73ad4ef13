package domain

import (
	"slices"
	"strings"
)

// reply is what a completion says, its thoughts left out.
type reply struct {
	object Decoded // the last complete object of the wanted shape
	found  bool    // there is one
	text   string  // all that isn't thoughts
}

// readReply reads leniently: an answer that was paid for isn't thrown away. But thoughts are not the answer,
// unless they are all that came and the object is what they say. Every wanted object has a field of the name.
func readReply(done Completion, name string, decode DecodeObject, wanted func(Object) bool) reply {
	if blank(done.Text) {
		divided, object, found := lastObject(done.ReasoningText, name, decode, wanted)
		return reply{object: object.Decoded, found: found && divided.isAnswer(object)}
	}
	divided, object, found := lastObject(done.Text, name, decode, wanted)
	if found && done.partial() && begins(done.Text[object.to:], name) {
		found = false // the answer was cut, and this is an earlier draft
	}
	return reply{object: object.Decoded, found: found, text: divided.answer()}
}

// lastObject is the last object outside of thoughts. Where nothing stands outside of them it may be within.
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
