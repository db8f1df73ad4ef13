package contract

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/suggest"
)

// reading collects what is wrong with the shape of a request while its fields are read.
type reading struct {
	domain.Faults
	inherited []string // paths that got the value of another path, where its faults are named
	stuck     bool     // the text can't be decoded further
}

// value is a decoded JSON value at its path. If it isn't given, reading it leaves the target unchanged.
type value struct {
	r     *reading
	path  string
	is    any
	given bool
}

// object is a JSON object while its fields are read.
type object struct {
	r      *reading
	path   string
	fields map[string]any
	names  []string // the names that it may have
}

// object reads the fields of an object. A field that isn't read is a fault.
func (v value) object(read func(o *object)) {
	if !v.given {
		return
	}
	fields, isObject := v.is.(map[string]any)
	if !isObject {
		v.mustBe("an object")
		return
	}
	o := &object{r: v.r, path: v.path, fields: fields}
	read(o)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(o.names, name) && !annotation(name) {
			short := shortName(name)
			o.r.Add(join(o.path, short), "unknown field%s", suggest.For(short, "", o.names))
		}
	}
}

// required returns a field for which null is a fault.
func (o *object) required(name string) value {
	o.names = append(o.names, name)
	is, given := o.fields[name]
	return value{r: o.r, path: join(o.path, name), is: is, given: given}
}

// optional returns a field for which null means that it is absent: clients in other languages write null for a
// field that isn't set.
func (o *object) optional(name string) value {
	v := o.required(name)
	v.given = v.is != nil
	return v
}

// annotation reports whether a field of this name is the client's own and isn't read.
func annotation(name string) bool {
	return name == "$schema" || name == "schema_version" || strings.HasPrefix(name, "x-")
}

func (v value) text(target *string) { read(v, target, "a string") }

// filled reads a text whose absence means the default. An explicit empty text is a fault.
func (v value) filled(target *string) {
	v.text(target)
	if text, is := v.is.(string); is && strings.TrimSpace(text) == "" {
		v.fault("cannot be empty; leave it out for the default")
	}
}

func (v value) whole(target *int) {
	if !v.given {
		return
	}
	whole, ok := wholeNumber(v.is)
	if !ok {
		v.mustBe("a whole number")
		return
	}
	*target = whole
}

// positive reads a bound. An explicit 0 is a fault, since it doesn't mean that there is no bound.
func (v value) positive(target *int) {
	v.whole(target)
	if whole, is := wholeNumber(v.is); v.given && is && whole == 0 {
		v.fault("must be at least 1, got 0; leave it out for no bound")
	}
}

// wholeNumber reads 300, and also 300.0 and 3e2: JSON has one kind of number, and some clients send it so.
func wholeNumber(is any) (int, bool) {
	number, isNumber := is.(json.Number)
	if !isNumber {
		return 0, false
	}
	if whole, err := strconv.Atoi(number.String()); err == nil {
		return whole, true
	}
	const exact = 1 << 53 // floating point can't tell larger whole numbers apart
	float, err := number.Float64()
	if err != nil || float != math.Trunc(float) || math.Abs(float) > exact {
		return 0, false
	}
	return int(float), true
}

func (v value) number(target *float64) {
	if !v.given {
		return
	}
	number, isNumber := v.is.(json.Number)
	float, err := number.Float64()
	if !isNumber || err != nil {
		v.mustBe("a number")
		return
	}
	*target = float
}

func (v value) texts(target *map[string]string) {
	if fields, is := v.is.(map[string]any); is {
		maps.DeleteFunc(fields, func(_ string, field any) bool { return field == nil }) // as with every optional field
	}
	readFields(v, target, "an object of strings", value.text)
}

func (v value) numbers(target *map[string]float64) {
	readFields(v, target, "an object of numbers", value.number)
}

// values reads an object whose values are passed on unchanged.
func (v value) values(target *map[string]json.RawMessage) {
	readFields(v, target, "an object", func(field value, target *json.RawMessage) {
		if rule := unfit(field.is, mostNested); rule != "" {
			field.fault("%s", rule)
		} else if text, err := json.Marshal(field.is); err == nil { // names sorted: the same value is the same text
			*target = text
		}
	})
}

// readFields reads an object whose fields have any names and one type.
func readFields[T any](v value, target *map[string]T, kind string, readField func(value, *T)) {
	var fields map[string]any
	if !read(v, &fields, kind) {
		return
	}
	*target = make(map[string]T, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		var field T
		readField(value{r: v.r, path: join(v.path, shortName(name)), is: fields[name], given: true}, &field)
		(*target)[name] = field
	}
}

// mostNested bounds the nesting of values that are passed on: JSON readers in other languages refuse deeper ones.
const mostNested = 32

// unfit returns the rule that a value breaks which is passed on; empty if it breaks none.
func unfit(is any, levels int) string {
	if levels == 0 {
		return fmt.Sprintf("must not be nested deeper than %d levels", mostNested)
	}
	var inner []any
	switch is := is.(type) {
	case json.Number:
		if _, err := is.Float64(); err != nil {
			return "must have no number beyond all bounds, got " + shown(is)
		}
	case []any:
		inner = is
	case map[string]any:
		inner = slices.Collect(maps.Values(is))
	}
	for _, value := range inner {
		if rule := unfit(value, levels-1); rule != "" {
			return rule
		}
	}
	return ""
}

func (v value) list() []value {
	var items []any
	read(v, &items, "a list")
	values := make([]value, 0, len(items))
	for i, item := range items {
		values = append(values, value{r: v.r, path: fmt.Sprintf("%s[%d]", v.path, i), is: item, given: true})
	}
	return values
}

// read stores a given value of the wanted type in the target, and reports whether it did.
func read[T any](v value, target *T, kind string) bool {
	if !v.given {
		return false
	}
	is, ok := v.is.(T)
	if !ok {
		v.mustBe(kind)
		return false
	}
	*target = is
	return true
}

func (v value) mustBe(kind string)             { v.fault("must be %s, got %s", kind, shown(v.is)) }
func (v value) fault(rule string, args ...any) { v.r.Add(cmp.Or(v.path, "request"), rule, args...) }

// shown shows a value in a message. Of an object or a list it shows only the type.
func shown(is any) string {
	switch is := is.(type) {
	case string:
		return domain.Quote(is)
	case json.Number:
		return shortName(is.String())
	case bool:
		return strconv.FormatBool(is)
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	}
	return "null"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shortName is a name or a number as a fault shows it. What isn't printable is escaped, as in [domain.Quote].
func shortName(name string) string {
	cut, _ := domain.CutEncoded(name, 100)
	if strings.ContainsFunc(cut, func(r rune) bool { return !unicode.IsPrint(r) }) {
		quoted := strconv.Quote(cut)
		return quoted[1 : len(quoted)-1]
	}
	return cut
}
