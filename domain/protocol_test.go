package domain_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

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

func TestPatienceNeverOutlastsTheDeadline(t *testing.T) {
	protocol := func(seconds int, review string) domain.Protocol {
		spec := specOf(2)
		spec.Protocol.Review, spec.Protocol.Patience = review, seconds
		return requestOf(t, spec).Protocol()
	}
	wait, before := protocol(0, domain.ReviewPeer).Patience(time.Minute)
	require.True(t, before)
	require.Equal(t, 30*time.Second, wait)
	wait, before = protocol(20, domain.ReviewNone).Patience(time.Minute)
	require.True(t, before)
	require.Equal(t, 20*time.Second, wait)
	for _, seconds := range []int{60, 61, 86400} {
		_, before = protocol(seconds, domain.ReviewPeer).Patience(time.Minute)
		require.False(t, before, "only the deadline ends a phase then")
	}
	_, before = protocol(0, domain.ReviewNone).Patience(time.Minute)
	require.False(t, before)
}
