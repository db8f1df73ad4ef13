package activities

import (
	"encoding/json"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// read is an answer as tests compare it.
type read struct {
	proposal, reasoning string
	score               float64
	parse               string
}

func readText(t *testing.T, text string) read {
	t.Helper()
	answer, failure, usable := domain.ReadAnswer(domain.Completion{Text: text, FinishReason: "stop"}, answerDecoder())
	require.True(t, usable, failure.Message())
	return read{answer.Proposal(), answer.Reasoning(), answer.Score(), answer.Parse()}
}

func TestAnswerDecoder_ReadsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want read
	}{
		"as it was asked for":               {`{"proposal":"p","reasoning":"r","score":0.5}`, read{"p", "r", 0.5, ""}},
		"with text after it":                {`{"proposal":"p","score":1} and so on }`, read{"p", "", 1, ""}},
		"with a fence after it":             {"{\"proposal\":\"p\",\"score\":1}\n```", read{"p", "", 1, ""}},
		"with another object after it":      {`{"proposal":"p","score":1}{"proposal":"q","score":1}`, read{"q", "", 1, ""}},
		"with fields that nobody asked for": {`{"x":{"proposal":"no"},"proposal":"p","score":0}`, read{"p", "", 0, ""}},
		"a score beyond all numbers":        {`{"proposal":"p","score":1e400}`, read{"p", "", 0, "score_invalid"}},
		"a proposal that is an object":      {`{"proposal":{"steps": [1]},"score":1}`, read{`{"steps": [1]}`, "", 1, ""}},
		"a proposal that is a list":         {`{"proposal":["a","b"],"score":1}`, read{`["a","b"]`, "", 1, ""}},
		"a proposal that is a number":       {`{"proposal":1e400,"score":1}`, read{`1e400`, "", 1, ""}},
		"reasoning that is an object":       {`{"proposal":"p","reasoning":{"a":1},"score":1}`, read{"p", `{"a":1}`, 1, ""}},
		"the same name twice":               {`{"proposal":"p","proposal":"q","score":1}`, read{"q", "", 1, ""}},
		"names in capitals":                 {`{"Proposal":"p"," REASONING ":"r","Score":1}`, read{"p", "r", 1, ""}},
		"a name in two cases":               {`{"Proposal":"no","proposal":"p","PROPOSAL":"no","score":1}`, read{"p", "", 1, ""}},
		"escapes":                           {`{"proposal":"\u00e9\n\ud83d","score":1}`, read{"é\n\ufffd", "", 1, ""}},
		"invalid UTF-8":                     {"{\"proposal\":\"a\xffb\",\"score\":1}", read{"a\ufffdb", "", 1, ""}},
		"an object deeper down":             {`So: {"answer":{"proposal":"p","score":0.5}}`, read{"p", "", 0.5, ""}},
		"a list of one":                     {`[{"proposal":"p","score":0.5}]`, read{"p", "", 0.5, ""}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, readText(t, c.text)) })
	}
}

func TestAnswerDecoder_RepairsWhatModelsWrite(t *testing.T) {
	code := "use a bucket\n\n```go\nfunc limit() {\n\treturn\n}\n```"
	for name, c := range map[string]struct {
		text string
		want read
	}{
		"literal line ends and tabs": {`{"proposal": "` + code + `", "reasoning": "fair` + "\n" + `and cheap", "score": 0.8}`, read{code, "fair\nand cheap", 0.8, "repaired"}},
		"a trailing comma":           {`{"proposal": "p", "score": 0.8,}`, read{"p", "", 0.8, "repaired"}},
		"a comma too many in a list": {`{"proposal": "p", "x": [1, 2,], "score": 0.8}`, read{"p", "", 0.8, "repaired"}},
		"no commas":                  {"{\"proposal\": \"p\"\n\"reasoning\": \"r\"\n\"score\": 0.8}", read{"p", "r", 0.8, "repaired"}},
		"comments":                   {"{\"proposal\": \"p\", // it's the one\n\"reasoning\": \"r\", /* \"why\" */ \"score\": 0.8 # high\n}", read{"p", "r", 0.8, "repaired"}},
		"a Python dict":              {`{'proposal': 'it\'s a bucket', 'ok': True, 'none': None, 'reasoning': "it's fair", 'score': 0.8}`, read{"it's a bucket", "it's fair", 0.8, "repaired"}},
		"an apostrophe in it":        {`{'proposal': 'it's a bucket', 'score': 0.8}`, read{"it's a bucket", "", 0.8, "repaired"}},
		"quotes within a text":       {`{"proposal": "use a "token bucket" per account", "reasoning": "fair", "score": 0.8}`, read{`use a "token bucket" per account`, "fair", 0.8, "repaired"}},
		"quotes, commas and colons":  {`{"proposal": "say "hello", then "bye": ok", "reasoning": "fair", "score": 0.8}`, read{`say "hello", then "bye": ok`, "fair", 0.8, "repaired"}},
		"a call within a text":       {`{"proposal": "print("a: b")", "score": 0.8}`, read{`print("a: b")`, "", 0.8, "repaired"}},
		"JSON within a text":         {`{"proposal": "send {"a": 1, "b": 2} as body", "score": 0.8}`, read{`send {"a": 1, "b": 2} as body`, "", 0.8, "repaired"}},
		"code within a text":         {`{"proposal": "if (a < b) { return "x"; }", "reasoning": "r", "score": 0.8}`, read{`if (a < b) { return "x"; }`, "r", 0.8, "repaired"}},
		"typographic quotes":         {`{“proposal”: “use a bucket”, “reasoning”: “fair”, “score”: 0.8}`, read{"use a bucket", "fair", 0.8, "repaired"}},
		"backticks":                  {"{\"proposal\": `use a bucket`, \"score\": 0.8}", read{"use a bucket", "", 0.8, "repaired"}},
		"names without quotes":       {`{proposal: "use a bucket", reasoning: "fair", score: 0.8}`, read{"use a bucket", "fair", 0.8, "repaired"}},
		"texts in pieces":            {`{"proposal": "use " + "a bucket", "score": 0.8}`, read{"use a bucket", "", 0.8, "repaired"}},
		"backslashes of the text":    {`{"proposal": "\d+ in C:\path", "score": 0.8}`, read{`\d+ in C:\path`, "", 0.8, "repaired"}},
		"a decimal comma":            {`{"proposal": "p", "reasoning": "r", "score": 0,8}`, read{"p", "r", 0.8, "repaired, score_comma"}},
		"a percentage":               {`{"proposal": "p", "score": 85%, "reasoning": "r"}`, read{"p", "r", 0.85, "repaired, score_percent"}},
		"a fraction":                 {`{"proposal": "p", "score": 8/10}`, read{"p", "", 0.8, "repaired, score_fraction"}},
		"a score with words":         {"{\"proposal\": \"p\", \"score\": 0.8 (high)\n}", read{"p", "", 0.8, "repaired, score_text"}},
		"a bare decimal":             {`{"proposal": "p", "score": .8}`, read{"p", "", 0.8, "repaired, score_text"}},
		"not a number":               {`{"proposal": "p", "score": NaN}`, read{"p", "", 0, "repaired, score_invalid"}},
		"prose and fences around it": {"So {this}:\n```json\n{'proposal': 'p', 'score': 0.8}\n```\nHope it {helps}!", read{"p", "", 0.8, "repaired"}},
		"a draft that is JSON":       {`First {"proposal":"draft","score":0.99}, then {'proposal': 'p', 'score': 0.8}.`, read{"p", "", 0.8, "repaired"}},
		"a draft that isn't":         {`First {'proposal': 'draft', 'score': 0.99}, then {"proposal":"p","score":0.8}.`, read{"p", "", 0.8, ""}},
		"three quotes":               {"{\"proposal\": \"\"\"use a \"token\nbucket\"\"\"\", \"score\": 0.8}", read{"use a \"token\nbucket\"", "", 0.8, "repaired"}},
		"three single quotes":        {`{'proposal': '''it's a bucket''', 'score': 0.8}`, read{"it's a bucket", "", 0.8, "repaired"}},
		"semicolons":                 {`{"proposal": "call f("a"); then g"; "reasoning": "r"; "score": 0.8}`, read{`call f("a"); then g`, "r", 0.8, "repaired"}},
		"fields left out":            {`{"proposal": "p", ..., "score": 0.8, …}`, read{"p", "", 0.8, "repaired"}},
		"a quote and an ellipsis":    {`{"proposal": "Return "429"... then retry", "reasoning": "r", "score": 0.8}`, read{`Return "429"... then retry`, "r", 0.8, "repaired"}},
		"an ellipsis and a comma":    {`{"proposal": "Return "429"..., then retry", "score": 0.8}`, read{`Return "429"..., then retry`, "", 0.8, "repaired"}},
		"an ellipsis of CJK texts":   {`{"proposal": "他说"好"……然后", "score": 0.8}`, read{`他说"好"……然后`, "", 0.8, "repaired"}},
		"fields left out at once":    {`{"proposal": "p" ..., "reasoning": "r" ... "score": "0.8" ……}`, read{"p", "r", 0.8, "repaired, score_text"}},
		"white space of texts":       {"{\u00a0\"proposal\":\u3000\"p\",\u200b\"score\":\ufeff0.8\u00a0}", read{"p", "", 0.8, "repaired"}},
		"punctuation of CJK texts":   {`{"proposal"："令牌，桶：好"，"reasoning"： "公平"，"score"：0.8}`, read{"令牌，桶：好", "公平", 0.8, "repaired"}},
		"a quote of another opened":  {`{"proposal": "er sagte „Eimer" und ging", "score": 0.8}`, read{`er sagte „Eimer" und ging`, "", 0.8, "repaired"}},
		"half an escape":             {`{"proposal": "\u12 and \x41", "score": 0.8}`, read{`\u12 and \x41`, "", 0.8, "repaired"}},
		"names in bold":              {`{"**proposal**": "p", "**score**": 0.8}`, read{"p", "", 0.8, ""}},
		"a brace too many":           {`{{"proposal": "p", "score": 0.8}}`, read{"p", "", 0.8, ""}},
		"a call of a program":        {`answer({proposal: 'p', score: 0.8,});`, read{"p", "", 0.8, "repaired"}},
		"an escaped object":          {`{\"proposal\": \"say \\\"a\\\"\\nb\", \"score\": 0.8}`, read{"say \"a\"\nb", "", 0.8, "repaired"}},
		"an object that is a string": {`"{\n  \"proposal\": \"p\",\n  \"score\": 0.8\n}"`, read{"p", "", 0.8, "repaired"}},
		"a string in an object":      {`{"name": "answer", "arguments": "{\"proposal\": \"p\", \"score\": 0.8}"}`, read{"p", "", 0.8, "repaired"}},
		"a string in a string":       {`"\"{\\\"proposal\\\": \\\"p\\\", \\\"score\\\": 0.8}\""`, read{"p", "", 0.8, "repaired"}},
		"escaped and another":        {`{\"proposal\": \"draft\", \"score\": 0.99} {"proposal":"p","score":0.8}`, read{"p", "", 0.8, ""}},
		"another and escaped":        {`{"proposal":"draft","score":0.99} {\"proposal\": \"p\", \"score\": 0.8} so`, read{"p", "", 0.8, "repaired"}},
		"escaped for a page":         {`{&quot;proposal&quot;: &quot;p &amp; q&quot;, &quot;score&quot;: 0.8}`, read{"p & q", "", 0.8, "repaired"}},
		"two that aren't":            {"{'proposal': 'draft', 'score': 0.99}\n{'proposal': 'p', 'score': 0.8}", read{"p", "", 0.8, "repaired"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, readText(t, c.text)) })
	}
}

func TestAnswerDecoder_ClosesAnObjectThatOnlyLacksItsEnd(t *testing.T) {
	want := read{"p", "", 0.8, "repaired"}
	for name, text := range map[string]string{
		"a brace":               `{"proposal": "p", "score": 0.8`,
		"after a comma":         `{"proposal": "p", "score": 0.8,` + " \n",
		"after a text":          `{"score": 0.8, "proposal": "p"`,
		"a Python dict":         `{'score': 0.8, 'proposal': 'p'`,
		"a brace and a bracket": `{"proposal": "p", "score": 0.8, "tags": ["a", "b"`,
		"in a list":             `[{"proposal": "p", "score": 0.8`,
		"in a block":            "```json\n{\"score\": 0.8, \"proposal\": \"p\"\n```\nI hope that this helps!",
		"after a draft":         `{"proposal": "draft", "score": 0.99} Better: {"proposal": "p", "score": 0.8`,
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want, readText(t, text))
			_, failure, usable := domain.ReadAnswer(domain.Completion{Text: text, FinishReason: "length"}, answerDecoder())
			require.False(t, usable, "it was cut, perhaps within the number")
			require.Equal(t, domain.Truncated, failure.Kind())
		})
	}
	t.Run("a draft that lacks its end", func(t *testing.T) {
		require.Equal(t, read{"p", "", 0.8, ""}, readText(t, `So {"proposal": "draft", "score": 0.99, On reflection: {"proposal":"p","score":0.8}`))
	})
}

func TestAnswerDecoder_RefusesWhatIsNoCompleteObject(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"prose":                   "I propose a token bucket",
		"a list":                  `[{"proposal":"p"}]`,
		"null":                    "null",
		"half a string":           `{"proposal":"p`,
		"half a string with code": `{"proposal":"code {x}`,
		"nesting without end":     strings.Repeat(`{"a":`, 20_000),
		"a brace":                 "{",
		"a brace and its end":     "}",
	} {
		t.Run(name, func(t *testing.T) {
			_, whole := answerDecoder()(text)

			require.False(t, whole)
		})
	}
}

func TestAnswerDecoder_ReadsAllValues(t *testing.T) {
	decoded, whole := answerDecoder()(`{"Ranking":["b",{"id":"a","n":[[[[1]]]]}],"n":7,"none":null,"yes":true} tail`)

	require.True(t, whole)
	require.Equal(t, len(`{"Ranking":["b",{"id":"a","n":[[[[1]]]]}],"n":7,"none":null,"yes":true}`), decoded.Size)
	require.Equal(t, domain.Value{Kind: domain.ValueNumber, Text: "7"}, decoded.Object["n"])
	require.Equal(t, domain.Value{}, decoded.Object["none"])
	require.Equal(t, domain.Value{Text: "true"}, decoded.Object["yes"])
	ranking := decoded.Object["ranking"]
	require.Equal(t, domain.ValueList, ranking.Kind)
	require.Equal(t, domain.Value{Kind: domain.ValueText, Text: "b"}, ranking.Items[0])
	require.Equal(t, domain.Value{Kind: domain.ValueText, Text: "a"}, ranking.Items[1].Fields["id"])
	require.Equal(t, "[[[[1]]]]", ranking.Items[1].Fields["n"].Text)
}

// hostileBytes is a sixteenth of the largest answer: the race detector makes reading some twenty times as slow.
const hostileBytes = 1 << 16

// growsWithSize checks that reading eight times the length takes about eight times the processor time, not 64 times.
func growsWithSize(t *testing.T, read func(size int)) {
	t.Helper()
	took := func(size int) time.Duration {
		began := processorTime(t)
		read(size)
		return max(time.Microsecond, processorTime(t)-began)
	}
	best, least := math.Inf(1), time.Hour // of ten pairs: garbage collection spoils some of them
	for n := 0; n < 10 && (best >= 32 || least >= 8*time.Second); n++ {
		small, large := took(hostileBytes/8), took(hostileBytes)
		best, least = min(best, float64(large)/float64(small)), min(least, large)
	}
	require.Less(t, best, 32.0)
	require.Less(t, least, 8*time.Second)
}

// processorTime returns the processor time of this process. Other work on the machine doesn't change it.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestAnswerDecoder_HostileAnswersTakeLittleTime(t *testing.T) {
	for name, unit := range map[string]string{
		"nested": `{'proposal':`, "mistakes": `{'proposal':1,},`, "quotes": `{"proposal":"a"b`, "names": `{proposal:'`, "commas": `{"proposal":"",`,
		"comments without end": `{"proposal":1, /* `, "comments in texts": `{"proposal":"a",/*`, "values with comments": `{a:1/**/`,
		"values with comments without end": `{a:1/*`, "comments": `{"proposal"://`, "values": `{"proposal":0,8`, "names without end": `{"proposal":"a", "b`,
		"ellipses": `{"proposal":"a"..., `,
	} {
		t.Run(name, func(t *testing.T) {
			growsWithSize(t, func(size int) {
				domain.ReadAnswer(domain.Completion{Text: strings.Repeat(unit, size/len(unit))}, answerDecoder())
				domain.ReadAnswer(domain.Completion{Text: `{"proposal":` + strings.Repeat(unit[1:], size/len(unit))}, answerDecoder())
				few := size * 3 / 16
				domain.ReadAnswer(domain.Completion{Text: "[" + strings.Repeat(unit, few/len(unit)) + strings.Repeat("}", few)}, answerDecoder())
			})
		})
	}
}

func TestAnswerDecoder_NoEndOfACommentIsLookedForAgainAndAgain(t *testing.T) {
	many := strings.Repeat
	for name, text := range map[string]func(size int) string{
		"comments without end":                     func(size int) string { return `{"proposal":1, ` + many("/* ", size/3) },
		"texts that may end before one":            func(size int) string { return `{"proposal":"` + many(`",/*`, size/4) },
		"texts that may end before the same one":   func(size int) string { return `{"proposal":"` + many(`",/*`, size/8) + "*/" + many(" ", size/2) },
		"texts that may end before the same name":  func(size int) string { return `{"proposal":"` + many(`",/*`, size/8) + `*/"` + many("a", size/2) },
		"texts that may end before lines":          func(size int) string { return `{"proposal":"` + many(`",//`, size/4) },
		"values before comments":                   func(size int) string { return `{` + many("a:1/**/", size/7) },
		"values before comments without end":       func(size int) string { return `{` + many("a:1/*", size/5) },
		"values without end":                       func(size int) string { return `{` + many("a:1;", size/4) },
		"texts before white space":                 func(size int) string { return `{"proposal":"` + many(`",`, size/4) + many(" ", size/2) },
		"texts before white space of another kind": func(size int) string { return `{"proposal":"` + many(`"`, size/4) + many("\v", size/2) },
	} {
		t.Run(name, func(t *testing.T) {
			growsWithSize(t, func(size int) { answerDecoder()(text(size)) })
		})
	}
}

func FuzzAnswerDecoder(f *testing.F) {
	for _, seed := range []string{
		`{"proposal":"p","reasoning":"r","score":0.5}`, `{"proposal":{"a":[1,null]},"score":"1e400"}`, `{"score":1e400}`,
		"{\"proposal\":\"\xff\xfe\",\"score\":-0}", `null`, `{"proposal":null}`, `{"proposal":"p","proposal":3}tail`, "",
		`<think>{</think>{"proposal":" ","score":2}`, `{'proposal': 'it's', "score": 0,8,}`, "{proposal: `x`, // y\n}", `{"proposal":]}`, `{"proposal":"\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		answer, _, usable := domain.ReadAnswer(domain.Completion{Text: text}, answerDecoder())
		if !usable {
			return
		}
		require.NotEmpty(t, answer.Proposal())
		require.True(t, answer.Score() >= 0 && answer.Score() <= 1)
		_, err := json.Marshal([]any{answer.Proposal(), answer.Reasoning(), answer.Score()})
		require.NoError(t, err)
	})
}
