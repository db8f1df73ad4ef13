package domain

import (
	"regexp"
	"slices"
)

// reply is a completion without its thoughts.
type reply struct {
	object Decoded // the last complete object of the wanted shape
	found  bool    // whether there is such an object
	text   string  // everything except the thoughts

	brokeOff bool // there is one, but it is a draft: another one after it has no end
}

// readReply reads leniently, so that an answer that was paid for isn't thrown away. Thoughts aren't the
// answer, unless nothing else came and they contain the object. Every wanted object has a field of the name.
func readReply(done Completion, name string, decode DecodeObject, wanted func(Object) bool) reply {
	if done.partial() {
		decode = decode.completeOnly()
	}
	divided, object, found := lastObject(done.Text, name, decode, wanted)
	text := divided.answer()
	if !found && stripFences(text) == "" {
		divided, object, found = lastObject(done.ReasoningText, name, decode, wanted)
		found = found && divided.isAnswer(object)
	}
	if found { // if an answer without an end comes after it, the object is a draft
		rest := divided.text[object.to:]
		if (done.partial() && begins(rest, name)) || breaksOff(rest, name, decode) {
			return reply{text: divided.answer(), brokeOff: true}
		}
	}
	return reply{object: object.Decoded, found: found, text: text}
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
	start := objectStart.FindStringIndex(text)
	return len(start) > 0 && lastMention(text[start[0]:], name) > 0
}

// breaksOff reports whether an object that begins with the field has no end in the text.
func breaksOff(text, name string, decode DecodeObject) bool {
	starts := regexp.MustCompile(`(?i)\{\s*["'“”]`+name+`["'“”]\s*:`).FindAllStringIndex(text, -1)
	if len(starts) == 0 {
		return false
	}
	_, complete := decode(text[starts[len(starts)-1][0]:])
	return !complete
}
