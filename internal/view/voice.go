package view

import (
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/livetext"
	"deliberation.io/deliberation/internal/untrusted"
)

// textMost bounds the bytes that are kept of a turn's text. A longer text loses its first half.
const textMost = 128 * 1024

// voice is what one agent says in its latest turn.
type voice struct {
	turn     domain.TurnID
	phase    string
	round    int
	reading  reading
	text     string
	column   column
	sequence int
	tokens   int
	first    time.Time // the time of the first text, and its number of tokens
	before   int
	latest   time.Time
}

// hear takes the next piece, for a pane of this width.
func (v voice) hear(said livetext.Piece, width int) voice {
	if said.TurnID != v.turn {
		v = voice{turn: said.TurnID, phase: said.Phase, round: said.Round, column: column{width: width}}
	}
	if said.Sequence <= v.sequence {
		return v
	}
	text := ""
	if said.Sequence > v.sequence+1 {
		v.reading, text = readsOn, "…"
	}
	text += v.reading.read(said.Text)
	v.sequence, v.tokens, v.latest = said.Sequence, said.Tokens, said.At
	if v.first.IsZero() && said.Text != "" {
		v.first, v.before = said.At, said.Tokens
	}
	if v.text += text; len(v.text) > textMost {
		v.text = "…" + strings.ToValidUTF8(v.text[len(v.text)/2:], "") // it may begin within a character
		return v.laidOut(width)
	}
	v.column = v.column.add(text)
	return v
}

// laidOut returns the voice for a pane of this width.
func (v voice) laidOut(width int) voice {
	v.column = column{width: width}.add(v.text)
	return v
}

// pace returns the tokens per second; 0 while there are too few.
func (v voice) pace() float64 {
	seconds := v.latest.Sub(v.first).Seconds()
	if v.first.IsZero() || seconds <= 0 {
		return 0
	}
	return float64(v.tokens-v.before) / seconds
}

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
