package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"deliberation.io/deliberation/domain"
)

// reading collects what is wrong with the shape of a request while its fields are read.
type reading struct {
	domain.Faults
	derived []string // places without a value of their own: their fault is named where the value is
}

// field is one name that an object may have, and what reads its value. A name that is absent isn't
// read: its target keeps the default.
type field struct {
	name string
	read func(path string, raw json.RawMessage)
}

// without takes over the domain's faults, except at places whose shape is already at fault.
func (r *reading) without(err error) {
	faults, ok := err.(domain.Faults) //nolint:errorlint // the domain returns Faults unwrapped
	if !ok {
		r.Add("request", "%s", err.Error())
		return
	}
	shape := slices.Clone(r.Faults)
	for _, fault := range faults {
		known := slices.ContainsFunc(shape, func(f domain.Fault) bool {
			return f.Path == fault.Path || strings.HasPrefix(fault.Path, f.Path+".") || f.Path == "request" ||
				f.Path == strings.TrimSuffix(fault.Path, "agent_id")+"id"
		})
		if !known && !slices.Contains(r.derived, fault.Path) {
			r.Faults = append(r.Faults, fault)
		}
	}
}

func (r *reading) at(path string) bool {
	return slices.ContainsFunc(r.Faults, func(f domain.Fault) bool { return f.Path == path || f.Path == "request" })
}

func (r *reading) object(path string, raw json.RawMessage, fields ...field) {
	var values map[string]json.RawMessage
	if kind := kindOf(raw); kind != "an object" || json.Unmarshal(raw, &values) != nil {
		r.Add(or(nonEmpty(path), "request"), "must be an object, got %s", shown(raw))
		return
	}
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
		if value, given := values[f.name]; given {
			f.read(join(path, f.name), value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) && !annotation(name) {
			r.Add(join(path, shortName(name)), "unknown field%s", suggestion(name, names))
		}
	}
}

// annotation tells the names that a request may carry for its own purposes.
func annotation(name string) bool {
	return name == "$schema" || name == "schema_version" || strings.HasPrefix(name, "x-")
}

func suggestion(name string, known []string) string {
	best, distance := "", 4
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(shortName(name), candidate); d < distance && d < len(candidate) {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

func (r *reading) text(target *string) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		if kindOf(raw) != "a string" || json.Unmarshal(raw, target) != nil {
			r.Add(path, "must be a string, got %s", shown(raw))
		}
	}
}

func (r *reading) integer(target *int) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		value, err := strconv.Atoi(string(raw))
		if err != nil {
			r.Add(path, "must be a whole number, got %s", shown(raw))
			return
		}
		*target = value
	}
}

func (r *reading) number(target *float64) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		if kindOf(raw) != "a number" || json.Unmarshal(raw, target) != nil {
			r.Add(path, "must be a number, got %s", shown(raw))
		}
	}
}

func (r *reading) texts(target *map[string]string) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		var values map[string]json.RawMessage
		if kindOf(raw) != "an object" || json.Unmarshal(raw, &values) != nil {
			r.Add(path, "must be an object of strings, got %s", shown(raw))
			return
		}
		*target = make(map[string]string, len(values))
		for _, key := range slices.Sorted(maps.Keys(values)) {
			value := ""
			r.text(&value)(join(path, shortName(key)), values[key])
			(*target)[key] = value
		}
	}
}

func (r *reading) list(read func(path string, raw json.RawMessage)) func(string, json.RawMessage) {
	return func(path string, raw json.RawMessage) {
		var items []json.RawMessage
		if kindOf(raw) != "a list" || json.Unmarshal(raw, &items) != nil {
			r.Add(path, "must be a list, got %s", shown(raw))
			return
		}
		for i, item := range items {
			read(fmt.Sprintf("%s[%d]", path, i), item)
		}
	}
}

func kindOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// shown says what a value is, and quotes it when it is short by nature.
func shown(raw json.RawMessage) string {
	switch kind := kindOf(raw); kind {
	case "a string":
		text := ""
		if json.Unmarshal(raw, &text) != nil {
			return kind
		}
		return domain.Quote(text)
	case "a number", "a boolean":
		cut, _ := domain.CutEncoded(string(bytes.TrimSpace(raw)), 100)
		return cut
	default:
		return kind
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func shortName(name string) string {
	cut, _ := domain.CutEncoded(name, 100)
	return cut
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
