package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
)

// show prints a command's answer: as JSON with --json, else as text.
func (c *cli) show(answer any, asText func()) error {
	if c.json {
		return c.printJSON(answer)
	}
	asText()
	return nil
}

// refuse ends a command that has nothing to show: with --json it prints the answer, else the exit has the words.
func (c *cli) refuse(answer any, words *exit) error {
	if !c.json {
		return words
	}
	if err := c.printJSON(answer); err != nil {
		return err
	}
	return exitSilently(words.code)
}

func (c *cli) printJSON(value any) error         { return terminal.WriteJSON(c.stdout, value) }
func (c *cli) printf(format string, args ...any) { fmt.Fprintf(c.stdout, format, args...) }

func (c *cli) warn(format string, args ...any) {
	label := "warning:"
	if !c.noColor {
		label = terminal.Paint(c.stderr, text.FgYellow, label)
	}
	fmt.Fprintln(c.stderr, label, untrusted.Printable(fmt.Sprintf(format, args...)))
}

// paint makes words harmless, and colours them for stdout.
func (c *cli) paint(colour text.Color, words string) string {
	words = untrusted.Printable(words)
	if c.noColor {
		return words
	}
	return terminal.Paint(c.stdout, colour, words)
}

// Exit codes; scripts rely on them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2 // bad usage, or a request that breaks a rule
	exitNotFound    = 3
	exitDifferent   = 4   // another request under this task id
	exitTemporal    = 5   // Temporal can't be used
	exitInterrupted = 130 // Ctrl-C; a started deliberation goes on
)

// exit is an error with its exit code. If err is nil, nothing more is printed.
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

// exitSilently returns an exit code without printing anything more.
func exitSilently(code int) error { return &exit{code: code} }

// errorTypes are the names of exit codes in JSON.
var errorTypes = map[int]string{
	exitFailed: "Failed", exitUsage: "BadUsage", exitNotFound: "NotFound", exitTemporal: "TemporalUnavailable",
	exitInterrupted: "Interrupted",
}

// failed is the JSON for an error if the command has no answer of its own for it.
type failed struct {
	Status    string `json:"status"`
	ErrorType string `json:"error_type"`
	Message   string `json:"message"`
	Hint      string `json:"hint,omitempty"`
}

// report prints the error, if there is one to print, and returns the exit code. No other function prints errors.
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
	message, ofTemporal := c.explain(known.err)
	if ofTemporal {
		known.code = exitTemporal
	}
	fmt.Fprintf(c.stderr, "starter: %s\n", untrusted.Printable(message))
	if known.hint != "" {
		fmt.Fprintf(c.stderr, "  %s\n", untrusted.Printable(known.hint))
	}
	if c.json {
		_ = c.printJSON(failed{"error", errorTypes[known.code], message, known.hint}) // nothing is left to report an error of stdout to
	}
	return known.code
}

// explain adds advice to an error of Temporal, and reports whether err is one.
func (c *cli) explain(err error) (message string, ofTemporal bool) {
	var noNamespace *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &noNamespace):
		return fmt.Sprintf("namespace %q does not exist at %q; set TEMPORAL_NAMESPACE or --namespace",
			c.server.Namespace, c.server.address), true
	case errors.As(err, &denied):
		return fmt.Sprintf("temporal at %q refuses namespace %q: %s; set TEMPORAL_API_KEY or the TLS settings of the profile",
			c.server.address, c.server.Namespace, err), true
	case runs.MayAnswerLater(err):
		return fmt.Sprintf("temporal at %q does not answer: %s; set TEMPORAL_ADDRESS or --address",
			c.server.address, err), true
	}
	return err.Error(), false
}
