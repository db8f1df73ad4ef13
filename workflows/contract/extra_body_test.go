package contract_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func TestRequest_PassesOnAnExtraBody(t *testing.T) {
	body := `{"top_p":0.9,"chat_template_kwargs":{"enable_thinking":false,"b":[1,12345678901234567890]},"seed":null}`
	parsed, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{"protocol.extra_body": body})).Parse()
	require.NoError(t, err)
	require.JSONEq(t, body, encode(t, parsed.Normalised.Protocol.ExtraBody))
	require.Contains(t, parsed.Domain.Protocol().ExtraBody()["chat_template_kwargs"], "12345678901234567890", "large numbers stay as they are")

	request := fakes.Council(2)
	request.Protocol = &contract.Protocol{ExtraBody: map[string]any{"top_p": 0.9}}
	fromGo, err := request.Parse()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"top_p": "0.9"}, fromGo.Domain.Protocol().ExtraBody())
}

func TestRequest_RefusesAnExtraBodyThatTakesOver(t *testing.T) {
	const path = "protocol.extra_body"
	for name, fault := range map[string]string{
		`"none"`:                   path + `: must be an object, got "none"`,
		`{"model":"m"}`:            path + ".model: cannot be given here; the deliberation sets it",
		`{"Max_Tokens":9}`:         path + ".Max_Tokens: cannot be given here; the deliberation sets it",
		`{"stream_options":{}}`:    path + ".stream_options: cannot be given here; the deliberation sets it",
		`{"n":2}`:                  path + ".n: cannot be given here; the deliberation sets it",
		`{"a":1e400}`:              path + ".a: must have no number beyond all bounds, got 1e400",
		`{"a":` + nested(33) + `}`: path + ".a: must not be nested deeper than 32 levels",
		`{"a":"` + strings.Repeat("x", 16<<10) + `"}`: path + ": must be at most 16384 bytes in JSON, got 16392",
		`{"a":1,"a":2}`: path + ".a: is given more than once",
	} {
		text := strings.Replace(fakes.LegalRequest, `"vllm_model"`, `"protocol":{"extra_body":`+name+`},"vllm_model"`, 1)
		require.Equal(t, []string{fault}, faultsOf(t, []byte(text)))
	}
	for _, name := range []string{
		"messages", "temperature", "response_format", "stream", "max_tokens", "max_completion_tokens", "max_new_tokens", "best_of",
	} {
		require.Len(t, faultsOf(t, fakes.EditedRequest(t, map[string]string{path: `{"` + name + `":1}`})), 1, name)
	}
	_, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{path: `{"a":` + nested(32) + `,"b":"` + strings.Repeat("x", 16<<10-80) + `"}`})).Parse()
	require.NoError(t, err, "bounds are inclusive")
}

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
