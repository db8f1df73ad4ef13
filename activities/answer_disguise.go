package activities

import (
	"html"
	"regexp"
	"sort"
	"strings"
)

// disguise is a way in which a whole object is escaped, so that it isn't read as one.
type disguise struct {
	begins *regexp.Regexp
	show   func(string) string
}

// mostDisguises bounds how often a text is escaped, one time within the other.
const mostDisguises = 3

var disguises = []disguise{
	{regexp.MustCompile(`^\{(?:` + space + `\\+[nrt])*` + space + `\\+["']`), strings.NewReplacer( // it stands in a string, with or without its quotes
		`\\`, `\`, `\"`, `"`, `\'`, `'`, `\/`, `/`, `\n`, "\n", `\r`, "\r", `\t`, "\t",
	).Replace},
	{regexp.MustCompile(`^\{` + space + `&(?:quot|apos|#34|#39);`), html.UnescapeString}, // a proxy took it for a page
}

// undisguised returns the text with the escapes of its object undone, and what a size in it is in the text.
func undisguised(text string) (shown string, sizeOf func(int) int) {
	shown, sizeOf = text, func(size int) int { return size }
	for range mostDisguises {
		for _, d := range disguises {
			if !d.begins.MatchString(shown) {
				continue
			}
			hidden, outer := shown, sizeOf
			shown, sizeOf = d.show(hidden), func(size int) int {
				return outer(sort.Search(len(hidden), func(at int) bool { return len(d.show(hidden[:at])) >= size }))
			}
		}
	}
	return shown, sizeOf
}
