package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/caarlos0/env/v11"

	"deliberation.io/deliberation/domain"
)

// faults collects one fault for each variable: its first fault may have caused the others.
type faults struct {
	all   []error
	about map[string]bool
}

func (f *faults) add(variable, format string, args ...any) {
	if f.about[variable] {
		return
	}
	if f.about == nil {
		f.about = map[string]bool{}
	}
	f.about[variable] = true
	f.all = append(f.all, fmt.Errorf("%s: %w", variable, fmt.Errorf(format, args...)))
}

// addParsing adds a fault of the parser, which names a Go field. The map variables has the variable of each field.
func (f *faults) addParsing(err error, variables, values map[string]string) {
	var unset env.VarIsNotSetError
	var empty env.EmptyVarError
	var unreadable env.ParseError
	switch {
	case errors.As(err, &unset):
		f.add(unset.Key, "is required")
	case errors.As(err, &empty):
		f.add(empty.Key, "cannot be empty")
	case errors.As(err, &unreadable):
		variable := variables[unreadable.Name]
		f.add(variable, "%w", wanted(unreadable, values[variable]))
	default:
		f.all = append(f.all, err)
	}
}

// wanted says which values a variable takes. The parser's own message names types of Go.
func wanted(unreadable env.ParseError, value string) error {
	what := ""
	switch unreadable.Type {
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		what = "a whole number"
	case reflect.TypeFor[bool]():
		what = "true or false"
	case reflect.TypeFor[time.Duration]():
		what = "a time with its unit, for example 60s"
	case reflect.TypeFor[slog.Level]():
		what = "DEBUG, INFO, WARN or ERROR"
	default:
		return unreadable.Err
	}
	return fmt.Errorf("must be %s, got %s", what, domain.Quote(value))
}
