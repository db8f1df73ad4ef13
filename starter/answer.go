package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/text"

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
