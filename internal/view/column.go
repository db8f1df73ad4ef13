package view

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/internal/untrusted"
)

// column is text in rows of one width. Added text changes only the last row, so that adding to a long text costs no
// more than to a short one.
type column struct {
	width int
	rows  []string
	last  string // the row that goes on
}

func (c column) add(text string) column {
	// With the last row: a joiner stays only after a character that it joins.
	text = strings.ReplaceAll(untrusted.Printable(c.last+text), "\t", "  ")
	if c.empty() {
		text = strings.TrimLeft(text, " \n")
	}
	if text == c.last || c.width < 1 {
		return c
	}
	rows := strings.Split(ansi.Wrap(text, c.width, ""), "\n")
	c.last = rows[len(rows)-1]
	if strings.HasSuffix(text, " ") && !strings.HasSuffix(c.last, " ") { // the row is full: the next word is on the next row
		rows, c.last = append(rows, ""), ""
	}
	c.rows = append(slices.Clip(c.rows), rows[:len(rows)-1]...)
	return c
}

func (c column) empty() bool { return len(c.rows) == 0 && c.last == "" }

// shown returns all rows, without empty ones at the end.
func (c column) shown() []string {
	rows := append(slices.Clip(c.rows), c.last)
	for len(rows) > 0 && strings.TrimSpace(rows[len(rows)-1]) == "" {
		rows = rows[:len(rows)-1]
	}
	return rows
}
