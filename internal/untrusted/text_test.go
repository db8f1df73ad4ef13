package untrusted_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/internal/untrusted"
)

func TestPrintable_IsWhatAPersonWouldSee(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain text":                {"a token bucket\n\tper account", "a token bucket\n\tper account"},
		"other scripts":             {"令牌桶 دلو الرموز é", "令牌桶 دلو الرموز é"},
		"joined emoji":              {"👩\u200d💻 ❤\ufe0f", "👩\u200d💻 ❤\ufe0f"},
		"a joiner between letters":  {"می\u200cخواهم", "می\u200cخواهم"},
		"a joiner in ASCII":         {"ad\u200dmin\u200c", "admin"},
		"joiners in a row":          {"é\u200d\u200d\u200dé", "éé"},
		"sequences of a terminal":   {"a\x1b[2J\x1b]0;t\x07", "a�[2J�]0;t�"},
		"a link of a terminal":      {"\x1b]8;;http://evil\x1b\\bank\x1b]8;;\x1b\\", "�]8;;http://evil�\\bank�]8;;�\\"},
		"C1 and DEL":                {"\u009b31m\x7f", "�31m�"},
		"bytes that are C1 in ANSI": {"\x9b31m", "�31m"},
		"turned direction":          {"\u202egnp.exe\u2066\u200f\u061c", "�gnp.exe���"},
		"carriage returns":          {"good\r\nbad\rb", "good\nbadb"},
		"zero width":                {"ad\u200bm\u2060i\ufeffn\u00ad", "admin"},
		"hidden text in tags":       {"hi\U000e0068\U000e0069", "hi"},
		"fillers":                   {"a\u3164\u115f\u034fb", "ab"},
		"marks of Arabic numbers":   {"\u0600123", "\u0600123"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, untrusted.Printable(c.text)) })
	}
}

func TestInline_IsOneLine(t *testing.T) {
	require.Equal(t, "a b c d", untrusted.Inline(" a\nb\u2028c\t \r\nd "))
	require.Equal(t, "ab", untrusted.Inline("a\u200bb"))
}

func TestJSON_MeansTheSame(t *testing.T) {
	for _, text := range []string{"\u009b31m\x7f", "\u202eb\u2066", "ad\u200bmin", "hi\U000e0068", "\x1b[2J", "é 👩\u200d💻", "�"} {
		encoded, err := json.Marshal(text)
		require.NoError(t, err)
		safe := untrusted.JSON(string(encoded))
		var back string
		require.NoError(t, json.Unmarshal([]byte(safe), &back))
		require.Equal(t, text, back)
		require.Equal(t, untrusted.Printable(safe), safe)
	}
}

func TestMarkdown_HasNoMeaning(t *testing.T) {
	for text, want := range map[string]string{
		"agent-dev_001 · DEV":      `agent-dev\_001 · DEV`,
		"[x](http://evil) ![y](z)": `\[x\](http://evil) \!\[y\](z)`,
		"<b>a</b> `c` *d* _e_ ~f~": "\\<b\\>a\\</b\\> \\`c\\` \\*d\\* \\_e\\_ \\~f\\~",
		"a | b\n# c":               `a \| b \# c`,
		"&#x202e;gnp":              `\&\#x202e;gnp`,
		`\`:                        `\\`,
		"- a":                      `\- a`,
		"12. a":                    `12\. a`,
		"1) a":                     `1\) a`,
		"+":                        `\+`,
		"===":                      `\===`,
		"1.5 of 2":                 `1\.5 of 2`,
		"ad\u200bmin\u202e":        "admin�",
	} {
		require.Equal(t, want, untrusted.Markdown(text))
	}
}

func TestNothingHarmfulIsLeftOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"a", "é", "👩", "\u200d", "\u200c", "\u200b", "\ufeff", "\u202e", "\x1b", "\u009b", "\x9b", "\xe2", "\n", "\r", " ", "\U000e0041", "\ufe0f",
		})).Draw(t, "text"), "")
		printable := untrusted.Printable(text)
		require.Equal(t, printable, untrusted.Printable(printable))
		for _, r := range printable {
			require.False(t, unicode.Is(unicode.Bidi_Control, r) || (unicode.IsControl(r) && r != '\n' && r != '\t'))
		}
		require.NotContains(t, untrusted.Inline(text), "\n")
	})
}
