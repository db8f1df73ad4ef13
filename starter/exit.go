package main

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

// Exit codes; scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // bad usage, or a request that breaks a rule
	exitNotFound    = 3
	exitDifferent   = 4   // another request under this task id
	exitTemporal    = 5   // Temporal can't be used
	exitInterrupted = 130 // Ctrl-C; what was started goes on
)

// exit is an error with its exit code. Without err there is nothing left to say.
type exit struct {
	code int
	err  error
	hint string // what to do about it
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func misused(hint, format string, args ...any) error {
	return &exit{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// errorTypes name what an exit code stands for, to those that read JSON.
var errorTypes = map[int]string{
	exitFailed: "Failed", exitUsage: "BadUsage", exitNotFound: "NotFound", exitTemporal: "TemporalUnavailable",
	exitInterrupted: "Interrupted",
}

// failed is the JSON of an error that no command has an answer of its own for.
type failed struct {
	Status    string `json:"status"`
	ErrorType string `json:"error_type"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
}

// ended is the exit of a command whose output has said everything.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return &exit{code: code}
}

// report says what is left to say and returns the exit code. It is the only place that prints errors.
func (c *cli) report(ctx context.Context, err error) int {
	if err == nil {
		return exitDone
	}
	known := &exit{code: exitFailed, err: err}
	if !errors.As(err, &known) && ctx.Err() != nil {
		known = &exit{code: exitInterrupted, err: errors.New("interrupted")}
	}
	if known.err == nil {
		return known.code
	}
	message, ofTemporal := c.explained(known.err)
	if ofTemporal {
		known.code = exitTemporal
	}
	fmt.Fprintf(c.stderr, "starter: %s\n", printable(message))
	if known.hint != "" {
		fmt.Fprintf(c.stderr, "  %s\n", known.hint)
	}
	if c.json {
		_ = c.printJSON(failed{"error", errorTypes[known.code], message, known.hint}) // nobody is left to tell
	}
	return known.code
}

// explained says what to do about errors that Temporal gives without saying so, and whether err is one.
func (c *cli) explained(err error) (message string, ofTemporal bool) {
	var noNamespace *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &noNamespace):
		return fmt.Sprintf("namespace %q does not exist at %q; set TEMPORAL_NAMESPACE or --namespace",
			c.server.namespace, c.server.address), true
	case errors.As(err, &denied):
		return fmt.Sprintf("temporal at %q refuses namespace %q: %s; set TEMPORAL_API_KEY or the TLS settings of the profile",
			c.server.address, c.server.namespace, err), true
	case silent(err):
		return fmt.Sprintf("temporal at %q does not answer: %s; set TEMPORAL_ADDRESS or --address",
			c.server.address, err), true
	}
	return err.Error(), false
}
