package view

import (
	"strings"
	"time"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/livetext"
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
