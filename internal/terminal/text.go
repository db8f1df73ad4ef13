package terminal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"deliberation.io/deliberation/internal/untrusted"
)

// FirstLines returns the beginning of a text, for a cell of a table.
func FirstLines(raw string, lines, width int) string {
	var shown []string
	for line := range strings.Lines(untrusted.Printable(raw)) {
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

// write escapes characters that could steer a terminal.
func write(to io.Writer, encoded []byte) error {
	_, err := io.WriteString(to, untrusted.JSON(string(encoded)))
	return err
}

// Duration shows a time to a tenth of a second, a long one in whole seconds.
func Duration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

// ShellWord quotes a word for the shell if necessary.
func ShellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(untrusted.Printable(word), "'", `'\''`) + "'"
}
