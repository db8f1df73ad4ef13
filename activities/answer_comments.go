package activities

import (
	"strings"
	"unicode/utf8"
)

// finder finds the next place of a mark. It remembers what it found: a hostile answer can have a million beginnings of
// comments, and a search for the end of each would take hours.
type finder struct {
	mark        string
	from, found int // nothing stands between the two
}

func newFinder(mark string) *finder { return &finder{mark: mark, found: -1} }

// next returns the first place of the mark from here on, or the length of the text.
func (f *finder) next(text string, at int) int {
	switch {
	case at > f.found:
		f.from, f.found = at, len(text)
		if i := strings.Index(text[at:], f.mark); i >= 0 {
			f.found = at + i
		}
	case at < f.from:
		if i := strings.Index(text[at:min(len(text), f.from+len(f.mark)-1)], f.mark); i >= 0 {
			return at + i
		}
		f.from = at
	}
	return f.found
}

// commentAt returns the size of the comment that begins here, or 0 if none does. An ellipsis stands for fields that were
// left out.
func (t *tolerant) commentAt(at int) int {
	end := t.skipEllipses(at)
	if end == at {
		return t.markedComment(at)
	}
	end = t.skipSpace(end)
	if strings.HasPrefix(t.text[end:], ",") {
		end++
	}
	return end - at
}

// skipEllipses returns the place after the ellipses that begin here.
func (t *tolerant) skipEllipses(at int) int {
	for strings.HasPrefix(t.text[at:], "...") || strings.HasPrefix(t.text[at:], "…") {
		at += len("...") // both have three bytes
	}
	return at
}

// markedComment is commentAt without ellipses.
func (t *tolerant) markedComment(at int) int {
	switch rest := t.text[at:]; {
	case strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "#"):
		return t.lineEnds.next(t.text, at) - at
	case strings.HasPrefix(rest, "/*"):
		const mark = len("/*")
		if end := t.commentEnds.next(t.text, at+mark); end < len(t.text) {
			return end + mark - at
		}
	}
	return 0
}

// skipSpace returns the place after the white space that begins here. It remembers the last long one, which many quotes
// may lead to.
func (t *tolerant) skipSpace(at int) int {
	if t.blank.from <= at && at < t.blank.to {
		return t.blank.to
	}
	end := at
	for end < len(t.text) {
		r, width := utf8.DecodeRuneInString(t.text[end:])
		if !invisible(r) {
			break
		}
		end += width
	}
	const long = 64
	if end-at > long {
		t.blank.from, t.blank.to = at, end
	}
	return end
}
