package suggest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/suggest"
)

func TestFor(t *testing.T) {
	known := []string{"role", "max_retries", "timeout_seconds", "task_id"}
	for given, want := range map[string]string{
		"max_retry": "; did you mean max_retries?",
		"Role":      "; did you mean role?",
		"timeout":   "; did you mean timeout_seconds?",
		"colour":    "",
		"id":        "",
		"rol":       "; did you mean role?",
		"r":         "", // anything could be meant
		"":          "",
	} {
		require.Equal(t, want, suggest.For(given, "", known), given)
	}
	require.Empty(t, suggest.For("role", "", nil))
	require.Equal(t, "; did you mean --role?", suggest.For("--roll", "--", []string{"--by", "--role"}))
	require.Empty(t, suggest.For("--v", "--", []string{"--by", "--role"}))
	require.Equal(t, "; did you mean NATS_URL?", suggest.For("OUR_NATS_URL", "OUR_", []string{"OUR_NATS", "NATS_URL"}))
}
