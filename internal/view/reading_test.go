package view

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
)

func TestTheJSONOfAnAnswerIsReadAsText(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"a proposal": {
			`{"proposal": "Limit \"logins\".\n\nThen \u8b70\ud83c\udfaf \\ C:\/x", "score":0.5, "final":true}`,
			"proposal: Limit \"logins\".\n\nThen 議🎯 \\ C:/x\nscore: 0.5\nfinal: true",
		},
		"a review": {
			`{"reviews":[{"label":"A","accuracy":4,"critique":"Good"},{"label":"B","blocking":["no tests","slow"]}],"ranking":["A","B"]}`,
			"reviews: \n\nlabel: A\naccuracy: 4\ncritique: Good \n\nlabel: B\nblocking: no tests slow\nranking: A B",
		},
		"prose":              {`First {braces}, then "quotes".`, `First {braces}, then "quotes".`},
		"text after the end": {"\n {\"a\":{}} and more {x}", "a:  and more {x}"},
		"nesting too deep":   {"{" + strings.Repeat("[", 1100), strings.Repeat("[", 101)},
		"nonsense":           {`{"a":"\uZZZZ \q"}]]},,`, `a: \uZZZZ q]]},,`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{1, 2, 7, 1000} {
				var state reading
				var text strings.Builder
				for left := []rune(c.raw); len(left) > 0; left = left[min(step, len(left)):] {
					text.WriteString(state.read(string(left[:min(step, len(left))])))
				}
				require.Equal(t, c.want, text.String(), "in steps of %d", step)
			}
		})
	}
}

func TestAfterAGapTheTextStaysAsItComes(t *testing.T) {
	m := updated(New(Actions{}), council(1, 1), said(1, 1, 1, `{"proposal":"One`), said(1, 3, 3, `three","score":1}`))
	require.Contains(t, m.View().Content, `proposal: One…three","score":1}`)
}

func TestTextThatComesInPiecesIsWrappedAsAWhole(t *testing.T) {
	texts := []string{
		numbered(1, 20), strings.Repeat("a word of  two blanks ", 40), strings.Repeat("world", 60), strings.Repeat("世界の制限は簡単です。", 20),
		"  leading\n\n\nblank lines\tand tabs\n", "🎯👩‍👩‍👧 é e\u0301 " + strings.Repeat("mixed 界 ", 30),
	}
	for _, text := range texts {
		for _, width := range []int{1, 2, 7, 40} {
			whole := column{width: width}.add(text)
			for _, step := range []int{1, 2, 3, 10} {
				pieces, runes := column{width: width}, []rune(text)
				for len(runes) > 0 {
					n := min(step, len(runes))
					pieces, runes = pieces.add(string(runes[:n])), runes[n:]
				}
				require.Equal(t, letters(whole), letters(pieces), "nothing is lost")
				if width < 3 { // no room for words: the frame cuts what is too wide
					continue
				}
				require.Equal(t, words(whole), words(pieces), "%q by %d in %d columns", text, step, width)
				for _, row := range words(pieces) {
					require.LessOrEqual(t, ansi.StringWidth(row), width)
				}
			}
		}
	}
}

func letters(c column) string { return strings.Join(strings.Fields(strings.Join(c.shown(), "")), "") }

// words are the rows without blanks at their ends, which don't show.
func words(c column) []string {
	var rows []string
	for _, row := range c.shown() {
		rows = append(rows, strings.TrimRight(row, " "))
	}
	return rows
}

func TestALongTextLosesItsBeginning(t *testing.T) {
	m := updated(New(Actions{}), council(1, 1))
	for n := range 3000 {
		m = updated(m, said(1, n+1, n, strings.Repeat("世", 30)))
	}
	kept := m.voices["agent-dev-001"].text
	require.LessOrEqual(t, len(kept), textMost)
	require.True(t, utf8.ValidString(kept))
	require.True(t, strings.HasPrefix(kept, "…"))
}
