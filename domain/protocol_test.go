package domain_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// The runner's tests read the same table: a name that only one of both refuses would fail every turn.
func TestExtraBodyNamesAreReservedAsTheRunnerReservesThem(t *testing.T) {
	text, err := os.ReadFile("../deploy/ray/tests/extra_body_keys.json")
	require.NoError(t, err)
	var keys struct {
		Refused  []string `json:"refused"`
		Accepted []string `json:"accepted"`
	}
	require.NoError(t, json.Unmarshal(text, &keys))
	for refused, names := range map[bool][]string{true: keys.Refused, false: keys.Accepted} {
		require.NotEmpty(t, names)
		for _, name := range names {
			spec := specOf(1)
			spec.Protocol.ExtraBody = map[string]string{name: "1"}
			_, err := domain.NewDeliberationRequest(spec)
			require.Equal(t, refused, err != nil, name)
		}
	}
}
