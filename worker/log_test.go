package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/internal/untrusted"
)

// Logs have words of servers: the reasons of failures, for example.
func TestLog_CannotSteerTheTerminalOfWhoeverReadsIt(t *testing.T) {
	const hostile = "503 \x1b[2J\u009b31m\u202egnp\x7fad\u200bmin"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			logger := newLogger(&out, config{LogFormat: format})
			logger.With("turn_id", hostile).WithGroup("ray").Warn(hostile, "error", errors.New(hostile), "reason", hostile)
			log.NewStructuredLogger(logger).Error(hostile, "Error", errors.New(hostile))

			require.Contains(t, out.String(), "gnp�admin")
			require.Equal(t, untrusted.Printable(out.String()), out.String())
		})
	}
}
