package fakes

import (
	"log/slog"

	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Environment is a [domain.Environment]. A test may change it at any time.
type Environment struct {
	Current domain.Settings
	OnRead  func() // called before each reading, unless it is nil
}

func (e *Environment) Settings() domain.Settings {
	if e.OnRead != nil {
		e.OnRead()
	}
	return e.Current
}

// AttributeNames returns the names of all our search attributes.
func AttributeNames() []string {
	var names []string
	for _, key := range contract.Attributes() {
		names = append(names, key.GetName())
	}
	return names
}

// SearchAttributeFlags make a dev server know our search attributes from its start.
func SearchAttributeFlags() []string {
	var flags []string
	for _, key := range contract.Attributes() {
		flags = append(flags, "--search-attribute", key.GetName()+"="+key.GetValueType().String())
	}
	return flags
}

// SilentLogger drops all lines of Temporal's SDK: a failed test itself says what went wrong.
func SilentLogger() log.Logger {
	return log.NewStructuredLogger(slog.New(slog.DiscardHandler))
}
