// Package suggest finds the known name that is nearest to a mistyped one.
package suggest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// most is how many characters a suggestion may differ by.
const most = 3

// For returns "; did you mean NAME?" with the nearest of the known names, or nothing if none is near. Names
// are compared without the prefix. A name that begins with what was given is as near as one with a single
// wrong character.
func For(given, prefix string, known []string) string {
	given = strings.TrimPrefix(given, prefix)
	best, nearest := "", most+1
	for _, name := range known {
		short := strings.TrimPrefix(name, prefix)
		distance := levenshtein.ComputeDistance(given, short)
		if given != "" && strings.HasPrefix(short, given) {
			distance = min(distance, 1)
		}
		if distance < nearest && distance < min(len(given), len(short)) {
			best, nearest = name, distance
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}
