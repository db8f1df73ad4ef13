package contract_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/fakes"
)

func TestRequest_SaysWhereAndWhyATextIsNoJSON(t *testing.T) {
	for name, c := range map[string]struct{ text, fault string }{
		"a comma too many":    {"{\n \"ü\": 1,\n}", "line 3, column 1: invalid character '}' looking for beginning of object key string"},
		"a bare word":         {`{"ü": yes}`, "line 1, column 7: invalid character 'y' looking for beginning of value"},
		"a text that is cut":  {"{\n\"a\":", "line 2, column 5: it ends too early"},
		"a name of no quotes": {"{task_id: T-42}", "line 1, column 2: invalid character 't' looking for beginning of object key string"},
		"two of them":         {"{}\n {}", "line 2, column 2: more than one JSON value"},
		"a byte order mark":   {"\xef\xbb\xbf{}", "it begins with a byte order mark (BOM); it must be UTF-8 without one"},
		"another encoding's":  {"\xff\xfe{\x00}\x00", "it begins with a byte order mark (BOM); it must be UTF-8 without one"},
		"bytes of Latin 1":    {"{\"t\u00fc\": \"caf\xe9\"}", "line 1, column 12: it is not UTF-8"},
		"half a character":    {"{\n\"a\": \"\xe2\x82\"}", "line 2, column 7: it is not UTF-8"},
		"surrogates as bytes": {"\"\xed\xa0\x80\"", "line 1, column 2: it is not UTF-8"},
		"nesting without end": {strings.Repeat("[", 10_001), "line 1, column 10001: invalid character '[' exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{"request: is not JSON: " + c.fault}, faultsOf(t, []byte(c.text)))
		})
	}
}

func TestRequest_ANameGivenTwiceIsAFault(t *testing.T) {
	twice := strings.NewReplacer(`"role":"DEV"`, `"role":"DEV","role":"QA"`, `"agent_id":"agent-2"`, `"agent_id":"agent-2","model":"a","model":"b"`,
		`"plan_id":"P-3"`, `"plan_id":"P-3","metadata":{"a":"1","a":"2"},"x":1e999`).Replace(fakes.LegalRequest)
	require.ElementsMatch(t, []string{
		"role: is given more than once", "agents[1].model: is given more than once",
		"constraints.metadata.a: is given more than once", "constraints.x: unknown field",
	}, faultsOf(t, []byte(twice)))
}
