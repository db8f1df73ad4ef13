package contract_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// Each rule of the protocol's newer fields, by the field's path and its JSON.
func TestProtocol_RulesNameTheField(t *testing.T) {
	for _, test := range []struct{ path, text, fault string }{
		{"protocol.mode", `"merge"`, `protocol.mode: must be "rank", "vote" or "synthesize", got "merge"`},
		{"protocol.mode", `""`, `protocol.mode: cannot be empty; leave it out for the default`},
		{"protocol.mode", `1`, `protocol.mode: must be a string, got 1`},
		{"protocol.chair_model", `" "`, `protocol.chair_model: cannot be empty; leave it out for the default`},
		{"protocol.chair_url", `""`, `protocol.chair_url: cannot be empty; leave it out for the default`},
		{"protocol.chair_url", `"chair:8000"`, `protocol.chair_url: must be an absolute http or https URL, got "chair:8000"`},
		{"protocol.chair_url", `"http://169.254.169.254"`, `protocol.chair_url: names a link-local or cloud metadata address, which is never allowed`},
		{"protocol.chair_modle", `"m"`, `protocol.chair_modle: unknown field; did you mean chair_model?`},
		{"protocol.max_llm_calls", `0`, `protocol.max_llm_calls: must be at least 1, got 0; leave it out for no bound`},
		{"protocol.max_llm_calls", `-1`, `protocol.max_llm_calls: must be 1..1000000, got -1`},
		{"protocol.max_llm_calls", `"9"`, `protocol.max_llm_calls: must be a whole number, got "9"`},
		{"protocol.max_llm_calls", `7`, `protocol.max_llm_calls: must be at least 8 for the first phase (2 turns with up to 4 attempts each), got 7; constraints.max_retries lowers that`},
		{"protocol.max_total_tokens", `0`, `protocol.max_total_tokens: must be at least 1, got 0; leave it out for no bound`},
		{"protocol.max_total_tokens", `1.5`, `protocol.max_total_tokens: must be a whole number, got 1.5`},
	} {
		require.Equal(t, []string{test.fault}, faultsOf(t, fakes.EditedRequest(t, map[string]string{test.path: test.text})), test.text)
	}
}

func TestProtocol_ABudgetIsRecorded(t *testing.T) {
	parsed, err := contract.RequestText(fakes.EditedRequest(t, map[string]string{
		"protocol.max_llm_calls": `8`, "protocol.max_total_tokens": `1e6`,
	})).Parse()
	require.NoError(t, err)
	require.Equal(t, 8, parsed.Normalised.Protocol.MaxCalls)
	require.Equal(t, 8, parsed.Normalised.Domain().Protocol().Budget().Calls)
	require.Equal(t, 1_000_000, parsed.Normalised.Domain().Protocol().Budget().Tokens)
}
