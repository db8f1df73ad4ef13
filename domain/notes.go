package domain

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// notesOf returns what a review says about each proposal, from the list that was asked for or from an object by
// label; nil if the value is neither.
func notesOf(value Value) []Object {
	switch value.Kind {
	case ValueList:
		return Each(value.Items, func(item Value) Object { return item.Fields })
	case ValueObject:
		notes := make([]Object, 0, len(value.Fields))
		for _, label := range slices.Sorted(maps.Keys(value.Fields)) {
			note := maps.Clone(value.Fields[label].Fields)
			if note == nil {
				return nil
			}
			if _, named := note["label"]; !named {
				note["label"] = Value{Kind: ValueText, Text: label}
			}
			notes = append(notes, note)
		}
		return notes
	case ValueOther, ValueText, ValueNumber:
	}
	return nil
}

// markForm matches a whole mark as models write it: 4, 4.0, "4/5", "4 out of 5", "4 (good)".
var markForm = regexp.MustCompile(`(?i)^[*_"\s]*([` + strconv.Itoa(lowestMark) + `-` + strconv.Itoa(highestMark) + `])(?:\.0*)?` +
	`(?:\s*(?:/|out\s+of|of)\s*` + strconv.Itoa(highestMark) + `(?:\.0*)?)?(?:\s*[(\[:;,.!–—*_"-][^\d]*|\s+[^\d\s/][^\d]*)?$`)

// readMark reads a mark, and reports whether there is a whole one.
func readMark(value Value) (int, bool) {
	if value.Kind == ValueObject { // with its reason
		for _, name := range []string{"mark", "score", "rating", "value"} {
			if inner, given := value.Fields[name]; given && inner.Kind != ValueObject {
				return readMark(inner)
			}
		}
		return 0, false
	}
	found := markForm.FindStringSubmatch(value.Text)
	if found == nil {
		return 0, false
	}
	mark, err := strconv.Atoi(found[1])
	return mark, err == nil
}

// noIssue matches the words of models that have none, where an empty list was asked for. It matches only whole sentences of
// known words: "No tests were written" is an issue. [^\pL\pN] is \W for all scripts.
var noIssue = regexp.MustCompile(`(?i)^[^\pL\pN]*(?:no|nil|null|n/?a|not applicable|无|没有|なし|` +
	`(?:(?:there (?:are|is|were)|i (?:see|found|find|have|identified)) )?(?:none|nothing|` + noIssues + `)(?: blocking)?` +
	`(?:(?: were| was)? (?:found|identified|noted|seen|detected))?` +
	`(?: (?:in|with|for) (?:this|the) proposal| at this (?:time|point|stage))?)?[^\pL\pN]*$`)

const (
	noIssues  = `no (?:` + graveness + `(?: (?:or|and) ` + graveness + `)? )?` + issues + `(?: (?:or|and) ` + issues + `)?`
	graveness = `(?:blocking|critical|major|serious|significant|severe)`
	issues    = `(?:issues?|blockers?|problems?|concerns?|objections?)`
)

// readBlocking reads the blocking issues. One that isn't in a list blocks, too.
func readBlocking(value Value) (issues []string) {
	said := value.Items
	if value.Kind == ValueText || value.Kind == ValueObject {
		said = []Value{value}
	}
	for _, issue := range said {
		if text := strings.TrimSpace(issue.Text); !noIssue.MatchString(text) {
			issues = append(issues, text)
		}
	}
	return issues
}

// placesOf returns the labels of a ranking, from a list or from a text such as "A > B > C".
func placesOf(value Value) (places []string) {
	if value.Kind == ValueText {
		return strings.FieldsFunc(value.Text, func(r rune) bool { return strings.ContainsRune(">,;|→≻\n", r) })
	}
	for _, place := range value.Items {
		if label, named := place.Fields["label"]; named {
			place = label
		}
		places = append(places, place.Text)
	}
	return places
}
