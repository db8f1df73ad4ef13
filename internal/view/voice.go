package view

import (
	"time"

	"deliberation.io/deliberation/internal/terminal"
)

// textMost bounds the bytes that are kept of a turn's text: more never fits on a terminal.
const textMost = 16 * 1024

// voice is what one agent says in its latest turn.
type voice struct {
	turn     string
	text     string
	sequence int
	tokens   int
	first    time.Time // the time of the first text, and its number of tokens
	before   int
	latest   time.Time
}

func (v voice) hear(said Said) voice {
	if said.TurnID != v.turn {
		v = voice{turn: said.TurnID, sequence: said.Sequence - 1}
		if said.Sequence > 1 { // the view began during the turn
			v.sequence = 0
		}
	}
	if said.Sequence <= v.sequence {
		return v
	}
	if said.Sequence > v.sequence+1 {
		v.text += "…"
	}
	v.sequence, v.tokens, v.latest = said.Sequence, said.Tokens, said.At
	if v.first.IsZero() && said.Text != "" {
		v.first, v.before = said.At, said.Tokens
	}
	v.text += terminal.Printable(said.Text)
	if excess := len(v.text) - textMost; excess > 0 {
		v.text = v.text[excess:]
	}
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
