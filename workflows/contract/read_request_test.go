package contract_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestRequest_NullIsTheSameAsAbsentWhereAFieldIsOptional(t *testing.T) {
	absent, err := contract.RequestText([]byte(fakes.LegalRequest)).Parse()
	require.NoError(t, err)
	for _, path := range []string{
		"constraints.timeout_seconds", "constraints.max_retries", "constraints.queue_timeout_seconds", "constraints.metadata",
		"agents.0.role", "agents.0.model", "agents.0.prompt_template", "agents.0.id", "protocol", "protocol.review", "protocol.rounds",
		"protocol.quorum", "protocol.temperature", "protocol.max_tokens", "protocol.extra_body",
		"protocol.mode", "protocol.chair_model", "protocol.chair_url", "protocol.max_llm_calls", "protocol.max_total_tokens",
		"protocol.judge_model", "protocol.judge_url", "protocol.rubric", "protocol.patience_seconds", "proposals",
	} {
		null, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{path: "null"})).Parse()
		require.NoError(t, err, path)
		require.Equal(t, absent.Normalised, null.Normalised, path)
	}
	metadata, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{"constraints.metadata": `{"team":null,"area":"login"}`})).Parse()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"area": "login"}, metadata.Normalised.Constraints.Metadata)
	byID, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{"agents.0.agent_id": "null", "agents.0.id": `"agent-1"`})).Parse()
	require.NoError(t, err)
	require.Equal(t, absent.Normalised, byID.Normalised)
	require.Equal(t, []string{"role: cannot be empty"}, faultsOf(t, fakes.EditedRequest(t, map[string]string{"role": "", "agents.0.role": "null"})),
		"what inherits nothing isn't named again")
}

func TestRequest_AWholeNumberMayBeWrittenAsAnyNumber(t *testing.T) {
	for text, want := range map[string]int{"300.0": 300, "3e2": 300, "3E+2": 300, "30000e-2": 300, "1": 1, "86400.000": 86400} {
		parsed, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{"constraints.timeout_seconds": text})).Parse()
		require.NoError(t, err, text)
		require.Equal(t, want, parsed.Normalised.Constraints.TimeoutSeconds, text)
	}
	for text, fault := range map[string]string{
		"1.5": "must be a whole number, got 1.5", "1e-1": "must be a whole number, got 1e-1", "1e400": "must be a whole number, got 1e400",
		"99999999999999999999": "must be a whole number, got 99999999999999999999", "1e15": "must be 1..86400, got 1000000000000000",
		"-1.0": "must be 1..86400, got -1", "true": "must be a whole number, got true",
	} {
		require.Equal(t, []string{"constraints.timeout_seconds: " + fault},
			faultsOf(t, fakes.EditedRequest(t, map[string]string{"constraints.timeout_seconds": text})))
	}
}

func TestRequest_IsReadFromThePayloadsOfAllClients(t *testing.T) {
	payload := func(encoding, data string) *commonpb.Payload {
		return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(encoding)}, Data: []byte(data)}
	}
	want, err := contract.RequestText([]byte(fakes.LegalRequest)).Parse()
	require.NoError(t, err)
	for _, encoding := range []string{"json/plain", "binary/plain"} {
		parsed, err := contract.Received(payload(encoding, fakes.LegalRequest)).Parse()
		require.NoError(t, err)
		require.Equal(t, want.Normalised, parsed.Normalised)
	}
	unnamed, err := contract.Received(&commonpb.Payload{Data: []byte(fakes.LegalRequest)}).Parse()
	require.NoError(t, err)
	require.Equal(t, want.Normalised, unnamed.Normalised)
	one, err := contract.Received(payload("json/plain", fakes.LegalRequest), payload("binary/null", ""), nil).Parse()
	require.NoError(t, err)
	require.Equal(t, want.Normalised, one.Normalised)
	_, err = contract.Received(payload("json/plain", fakes.LegalRequest), payload("json/plain", "null")).Parse()
	require.EqualError(t, err, "request: more than one input was given; it takes one JSON object")
	for name, c := range map[string]struct {
		payload *commonpb.Payload
		fault   string
	}{
		"no payload":          {nil, "no input was given; it takes one JSON object"},
		"no encoding":         {&commonpb.Payload{}, "no input was given; it takes one JSON object"},
		"nil":                 {payload("binary/null", ""), "no input was given; it takes one JSON object"},
		"bytes of no JSON":    {payload("binary/plain", "\x00"), `is not JSON: line 1, column 1: invalid character '\x00' looking for beginning of value`},
		"protocol buffers":    {payload("binary/protobuf", "\x0a"), `its encoding is "binary/protobuf"; send one JSON object as json/plain`},
		"their JSON":          {payload("json/protobuf", "{}"), `its encoding is "json/protobuf"; send one JSON object as json/plain`},
		"an encrypted input":  {payload("binary/encrypted", "x"), `its encoding is "binary/encrypted"; send one JSON object as json/plain`},
		"a very long unknown": {payload(strings.Repeat("x", 500), "x"), `its encoding is "` + strings.Repeat("x", 100) + `"…; send one JSON object as json/plain`},
	} {
		_, err := contract.Received(c.payload).Parse()
		require.EqualError(t, err, "request: "+c.fault, name)
	}
}

func TestRequest_WhatIsReceivedIsPrintedAsItCame(t *testing.T) {
	for _, text := range []string{`null`, `[]`, `"x"`, `{"task_id":7}`, `{"agents":{}}`} {
		require.Equal(t, text, encode(t, contract.RequestText([]byte(text))))
	}
	require.Equal(t, "null", encode(t, contract.Received(nil)))
}

func TestRequest_ThatIsNoObject(t *testing.T) {
	tests := map[string]struct{ text, fault string }{
		"nothing":             {"", "request: no input was given; it takes one JSON object"},
		"null":                {"null", "request: must be an object, got null"},
		"a list":              {"[]", "request: must be an object, got a list"},
		"a text":              {`"x"`, `request: must be an object, got "x"`},
		"a number with space": {" 7\n", `request: must be an object, got 7`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, []string{test.fault}, faultsOf(t, []byte(test.text)))
		})
	}
	_, err := contract.Request{}.Parse()
	require.EqualError(t, err, "request: no input was given; it takes one JSON object")
}
