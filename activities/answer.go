package activities

import (
	"encoding/json"
	"html"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/kaptinlin/jsonrepair"

	"deliberation.io/deliberation/domain"
)

const (
	// repairMost bounds the bytes of a text that is repaired: the time grows with the square of the mistakes.
	repairMost = 32 << 10
	// repairTries bounds how many objects of one answer are repaired.
	repairTries = 4
	// deepMost bounds the levels of an answer's values that are read. Deeper values are kept as JSON.
	deepMost = 4
)

// answerDecoder returns the decoder for one answer. It tries JSON first, and then repairs the mistakes of models.
func answerDecoder() domain.DecodeObject {
	tries := repairTries
	return func(text string) (domain.Decoded, bool) {
		decoder := json.NewDecoder(strings.NewReader(text))
		var fields map[string]json.RawMessage
		if decoder.Decode(&fields) == nil && fields != nil {
			return domain.Decoded{Object: objectOf(fields, deepMost), Size: int(decoder.InputOffset())}, true
		}
		shown, sizeOf := undisguised(text)
		read, found := tolerantly(shown)
		if !found {
			return domain.Decoded{}, false
		}
		if json.Unmarshal([]byte(read.json), &fields) != nil {
			if len(read.json) > repairMost || tries == 0 {
				return domain.Decoded{}, false
			}
			tries--
			valid, err := jsonrepair.Repair(read.json)
			if err != nil || json.Unmarshal([]byte(valid), &fields) != nil {
				return domain.Decoded{}, false
			}
		}
		return domain.Decoded{Object: objectOf(fields, deepMost), Size: sizeOf(read.size), Repaired: true, Open: read.open}, true
	}
}

// objectOf reads the fields. If names differ only in their case, the lower-case one counts.
func objectOf(fields map[string]json.RawMessage, levels int) domain.Object {
	object := make(domain.Object, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		short := strings.ToLower(strings.Trim(name, " \t\r\n*:"))
		if _, given := object[short]; !given || short == name {
			object[short] = valueOf(fields[name], levels)
		}
	}
	return object
}

func valueOf(raw json.RawMessage, levels int) domain.Value {
	value := domain.Value{Text: string(raw)}
	switch raw[0] {
	case '"':
		value.Kind = domain.ValueText
		_ = json.Unmarshal(raw, &value.Text) // it is a text: it was decoded before
	case '{':
		value.Kind = domain.ValueObject
		var fields map[string]json.RawMessage
		if levels > 0 && json.Unmarshal(raw, &fields) == nil {
			value.Fields = objectOf(fields, levels-1)
		}
	case '[':
		value.Kind = domain.ValueList
		var items []json.RawMessage
		if levels > 0 && json.Unmarshal(raw, &items) == nil {
			for _, item := range items {
				value.Items = append(value.Items, valueOf(item, levels-1))
			}
		}
	case 'n':
		value.Text = ""
	case 't', 'f':
	default:
		value.Kind = domain.ValueNumber
	}
	return value
}

// disguise is a way in which a whole object is escaped, so that it isn't read as one.
type disguise struct {
	begins *regexp.Regexp
	show   func(string) string
}

// mostDisguises bounds how often a text is escaped, one time within the other.
const mostDisguises = 3

var disguises = []disguise{
	{regexp.MustCompile(`^\{(?:` + space + `\\+[nrt])*` + space + `\\+["']`), strings.NewReplacer( // it stands in a string, with or without its quotes
		`\\`, `\`, `\"`, `"`, `\'`, `'`, `\/`, `/`, `\n`, "\n", `\r`, "\r", `\t`, "\t",
	).Replace},
	{regexp.MustCompile(`^\{` + space + `&(?:quot|apos|#34|#39);`), html.UnescapeString}, // a proxy took it for a page
}

// undisguised returns the text with the escapes of its object undone, and what a size in it is in the text.
func undisguised(text string) (shown string, sizeOf func(int) int) {
	shown, sizeOf = text, func(size int) int { return size }
	for range mostDisguises {
		for _, d := range disguises {
			if !d.begins.MatchString(shown) {
				continue
			}
			hidden, outer := shown, sizeOf
			shown, sizeOf = d.show(hidden), func(size int) int {
				return outer(sort.Search(len(hidden), func(at int) bool { return len(d.show(hidden[:at])) >= size }))
			}
		}
	}
	return shown, sizeOf
}
