package domain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxFaults is how many faults a message names; the rest is counted.
const MaxFaults = 50

// maxQuoted bounds what a fault quotes of a value, in bytes of the message.
const maxQuoted = 100

// Fault is one broken rule at one place of a request, for example `agents[1].agent_id: cannot be empty`.
type Fault struct {
	Path string
	Rule string
}

func (f Fault) String() string { return f.Path + ": " + f.Rule }

// Faults is every broken rule of a value. It is the error that constructors return.
type Faults []Fault //nolint:recvcheck // an error by value, collected by pointer

// Error names every fault, at most [MaxFaults] of them.
func (f Faults) Error() string {
	shown := f[:min(len(f), MaxFaults)]
	lines := make([]string, 0, len(shown)+1)
	for _, fault := range shown {
		lines = append(lines, fault.String())
	}
	if hidden := len(f) - len(shown); hidden > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", hidden))
	}
	return strings.Join(lines, "; ")
}

// Add notes a broken rule.
func (f *Faults) Add(path, rule string, args ...any) {
	*f = append(*f, Fault{Path: path, Rule: fmt.Sprintf(rule, args...)})
}

// Under takes over another value's faults, their paths put under parent. Nil is no fault.
func (f *Faults) Under(parent string, err error) {
	if err == nil {
		return
	}
	faults, ok := err.(Faults) //nolint:errorlint // constructors of this package return Faults unwrapped
	if !ok {
		f.Add(parent, "%s", err.Error())
		return
	}
	for _, fault := range faults {
		*f = append(*f, Fault{Path: parent + "." + fault.Path, Rule: fault.Rule})
	}
}

// OrNil is the faults as an error, nil when there are none.
func (f Faults) OrNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Quote shows a value in a message: quoted, and cut to 100 bytes as they stand between the quotes,
// escapes included.
func Quote(value string) string {
	size := 0
	for i := 0; i < len(value); {
		_, width := utf8.DecodeRuneInString(value[i:])
		if size += len(strconv.Quote(value[i:i+width])) - 2; size > maxQuoted {
			return strconv.Quote(value[:i]) + "…"
		}
		i += width
	}
	return strconv.Quote(value)
}

func (f *Faults) required(path, value string, limit int) {
	if strings.TrimSpace(value) == "" {
		f.Add(path, "cannot be empty")
		return
	}
	f.bounded(path, value, limit)
}

func (f *Faults) bounded(path, value string, limit int) {
	if size := EncodedSize(value); size > limit {
		f.Add(path, "must be at most %d bytes in JSON, got %d", limit, size)
	}
}

func (f *Faults) within(path string, value, low, high int) {
	if value < low || value > high {
		f.Add(path, "must be %d..%d, got %d", low, high, value)
	}
}
