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
