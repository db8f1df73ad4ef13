package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"deliberation.io/deliberation/domain"
)

// printJSON writes one object on one line.
func (c *cli) printJSON(value any) error {
	encoder := json.NewEncoder(c.stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// printable is text for a terminal: what a model or a caller wrote must not move the cursor, change the
// window's title or reverse the reading direction.
func printable(raw string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, raw)
}

// inline is printable text on one line.
func inline(raw string) string { return strings.Join(strings.Fields(printable(raw)), " ") }

// opening is the first lines of a text, for a table's cell.
func opening(raw string, lines, width int) string {
	var shown []string
	for line := range strings.Lines(printable(raw)) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" {
			continue
		}
		if len(shown) == lines {
			shown[lines-1] = text.Snip(shown[lines-1]+" …", width, "…")
			break
		}
		shown = append(shown, text.Snip(line, width, "…"))
	}
	return strings.Join(shown, "\n")
}

// newTable is a table without lines.
func newTable(header ...any) table.Writer {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t := table.NewWriter()
	t.SetStyle(style)
	t.SetTitle("")
	t.SuppressTrailingSpaces()
	t.AppendHeader(table.Row(header))
	return t
}

// terminal is the file behind a stream when that is a terminal.
func terminal(stream any) (*os.File, bool) {
	file, is := stream.(*os.File)
	if !is || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return file, true
}

// colours tells whether a stream takes them.
func (c *cli) colours(stream io.Writer) bool {
	_, is := terminal(stream)
	return is && !c.noColor && os.Getenv("TERM") != "dumb"
}

func (c *cli) paint(stream io.Writer, colour text.Color, words string) string {
	if !c.colours(stream) {
		return words
	}
	// Not colour.Sprint: the library switches itself off by the environment, for all streams at once.
	return colour.EscapeSeq() + words + text.Reset.EscapeSeq()
}

func statusColour(status domain.DeliberationStatus) text.Color {
	switch status {
	case domain.StatusCompleted:
		return text.FgGreen
	case domain.StatusFailed, domain.StatusNotFound:
		return text.FgRed
	case domain.StatusCancelled:
		return text.FgYellow
	case domain.StatusSubmitted, domain.StatusRunning:
	}
	return text.FgCyan
}
