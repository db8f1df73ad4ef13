// Package terminal writes for people at a terminal: text that can't steer it, tables, colours, and live blocks that are
// redrawn in place.
package terminal

import (
	"io"
	"os"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"deliberation.io/deliberation/domain"
)

// Is reports whether a stream is a terminal.
func Is(stream any) bool {
	file, is := stream.(*os.File)
	return is && term.IsTerminal(int(file.Fd()))
}

// Understands reports whether a stream is a terminal that understands escape sequences.
func Understands(stream any) bool { return Is(stream) && os.Getenv("TERM") != "dumb" }

// Paint colours words if the stream takes colours.
func Paint(stream io.Writer, colour text.Color, words string) string {
	if !Understands(stream) {
		return words
	}
	// colour.Sprint isn't used: by the environment, the library switches colours off for all streams together.
	return colour.EscapeSeq() + words + text.Reset.EscapeSeq()
}

// StatusColour returns the colour of a deliberation's status.
func StatusColour(status domain.DeliberationStatus) text.Color {
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

// NewTable returns a table without lines.
func NewTable(header ...any) table.Writer {
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
