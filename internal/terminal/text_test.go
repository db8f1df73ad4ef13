package terminal_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/internal/untrusted"
)

// hostile has what could steer a terminal: escape sequences in both spellings, DEL, and marks that reverse
// the reading direction.
const hostile = "\x1b[2Jgone \x1b]0;title\x07 \u009b31mred \x7f \u202eabc\u2066 \u200f两行 🙂"

func TestWhatAModelWroteCannotSteerTheTerminal(t *testing.T) {
	require.Equal(t, "\uFFFD[2Jgone \uFFFD]0;title\uFFFD \uFFFD31mred \uFFFD \uFFFDabc\uFFFD \uFFFD两行 🙂", untrusted.Printable(hostile))
	require.Equal(t, "two\nlines\tand a tab", untrusted.Printable("two\r\nlines\tand a tab"))
	require.Equal(t, "\uFFFD[31mone line", untrusted.Inline("\x1b[31mone\n\u2028 line "))
}

func TestJSONCannotSteerTheTerminalAndMeansTheSame(t *testing.T) {
	given := map[string]string{"proposal": hostile + "\n\t<&>"}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"one line":  func(to *bytes.Buffer) error { return terminal.WriteJSON(to, given) },
		"laid out":  func(to *bytes.Buffer) error { return terminal.WriteIndentedJSON(to, given) },
		"as it was": func(to *bytes.Buffer) error { return terminal.WriteJSON(to, raw(t, given)) },
	} {
		t.Run(name, func(t *testing.T) {
			var written bytes.Buffer
			require.NoError(t, write(&written))
			line := strings.TrimSuffix(written.String(), "\n")
			require.Equal(t, strings.ReplaceAll(line, "\r", ""), untrusted.Printable(line), "nothing is left that Printable replaces")
			var read map[string]string
			require.NoError(t, json.Unmarshal(written.Bytes(), &read))
			require.Equal(t, given, read)
		})
	}
}

// raw is JSON that the encoder copies.
func raw(t *testing.T, value any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}

func TestFirstLines(t *testing.T) {
	require.Equal(t, "one\ntwo …", strings.TrimRight(terminal.FirstLines("\n one \n\n two\nthree", 2, 60), " "))
	require.Equal(t, "one", strings.TrimRight(terminal.FirstLines("one", 2, 60), " "))
	require.Equal(t, "0123…", terminal.FirstLines("0123456789", 2, 5))
}

func TestShellWord(t *testing.T) {
	require.Equal(t, "deliberation-team/a:1", terminal.ShellWord("deliberation-team/a:1"))
	require.Equal(t, `'a b'`, terminal.ShellWord("a b"))
	require.Equal(t, `'it'\''s'`, terminal.ShellWord("it's"))
}
