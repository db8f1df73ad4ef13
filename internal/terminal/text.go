package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"
)

// steers reports whether a character can steer a terminal: move the cursor, change the window's title, or reverse the
// reading direction. Control characters include DEL and C1, where U+009B begins the same sequences as ESC [.
func steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// Printable makes a text of a model, a server or a caller harmless: it replaces characters that could steer a terminal.
// Line ends and tabs stay.
func Printable(raw string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r':
			return -1
		case steers(r):
			return unicode.ReplacementChar
		}
		return r
	}, raw)
}

// Inline returns printable text on one line.
func Inline(raw string) string { return strings.Join(strings.Fields(Printable(raw)), " ") }

// FirstLines returns the beginning of a text, for a cell of a table.
func FirstLines(raw string, lines, width int) string {
	var shown []string
	for line := range strings.Lines(Printable(raw)) {
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

// WriteJSON writes a value as JSON on one line. It escapes characters that could steer a terminal; parsers read the
// same values.
func WriteJSON(to io.Writer, value any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return write(to, encoded.Bytes())
}

// WriteIndentedJSON does the same with indentation, for people to edit.
func WriteIndentedJSON(to io.Writer, value any) error {
	encoded, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return write(to, append(encoded, '\n'))
}

// write escapes characters that could steer a terminal. In JSON they occur only in strings. The encoder has escaped
// those below the space already, so that line ends and tabs are its own.
func write(to io.Writer, encoded []byte) error {
	var safe bytes.Buffer
	for _, r := range string(encoded) {
		if steers(r) && r >= ' ' {
			fmt.Fprintf(&safe, `\u%04x`, r)
			continue
		}
		safe.WriteRune(r)
	}
	_, err := to.Write(safe.Bytes())
	return err
}
