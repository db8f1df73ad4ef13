package domain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxFaults is how many faults a message names. Of further ones it says only the number.
const MaxFaults = 50

// maxQuoted bounds how many bytes of a value a fault quotes.
const maxQuoted = 100

// Fault is one broken rule at one place of a request, for example `agents[1].agent_id: cannot be empty`.
type Fault struct {
	Path string
	Rule string
}

func (f Fault) String() string { return f.Path + ": " + f.Rule }

// Faults are all broken rules of a value. Constructors return them as one error.
type Faults []Fault //nolint:recvcheck // an error by value, collected by pointer

// Error names every fault, at most [MaxFaults] of them.
func (f Faults) Error() string { return strings.Join(f.Lines(), "; ") }

// Lines returns one line for each of the first [MaxFaults] faults. If there are more, a last line says how many.
func (f Faults) Lines() []string {
	shown := f[:min(len(f), MaxFaults)]
	lines := make([]string, 0, len(shown)+1)
	for _, fault := range shown {
		lines = append(lines, fault.String())
	}
	if hidden := len(f) - len(shown); hidden > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", hidden))
	}
	return lines
}

func (f *Faults) Add(path, rule string, args ...any) {
	*f = append(*f, Fault{Path: path, Rule: fmt.Sprintf(rule, args...)})
}

// OrNil returns the faults as an error, or nil if there are none.
func (f Faults) OrNil() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Quote quotes a value for a message. The text between the quotes, with its escapes, is cut to 100 bytes.
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
