package terminal

import (
	"regexp"
	"strings"

	"deliberation.io/deliberation/internal/untrusted"
)

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,-]+$`)

// ShellWord quotes a word for the shell if necessary.
func ShellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(untrusted.Printable(word), "'", `'\''`) + "'"
}
