package untrusted

import (
	"regexp"
	"strings"
)

// marks have a meaning in Markdown or HTML wherever they stand. An entity such as &#x202e; could bring back what
// Printable has replaced.
const marks = "\\`*_[]{}<>|~&!#"

// opening matches what begins a block at the start of a text: a list, or a line under a heading. Such texts stand after
// the mark of a list, or in a cell.
var opening = regexp.MustCompile(`^(?:[-+=]|\d{1,9}[.)])`)

// Markdown returns text on one line without any meaning in Markdown or HTML. Only an address such as https://host may
// become a link, which leads where it says.
func Markdown(text string) string {
	text = Inline(text)
	var out strings.Builder
	if begins := opening.FindString(text); begins != "" {
		out.WriteString(begins[:len(begins)-1] + `\` + begins[len(begins)-1:])
		text = text[len(begins):]
	}
	for _, r := range text {
		if strings.ContainsRune(marks, r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}
