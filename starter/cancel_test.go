package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
)

func TestACancelSaysHowTheRunEnded(t *testing.T) {
	for _, c := range []struct {
		end     runs.Ending
		already bool
		want    string
	}{
		{runs.Ending{Status: domain.StatusCancelled, ErrorType: string(domain.Cancelled)}, false, "T-42 cancelled\n"},
		{runs.Ending{Status: domain.StatusCompleted}, true, "T-42 already completed\n"},
		{runs.Ending{Status: domain.StatusFailed, ErrorType: string(domain.Terminated)}, true, "T-42 already terminated\n"},
		{runs.Ending{Status: domain.StatusFailed, ErrorType: string(domain.TimedOut)}, false, "T-42 timed out before the cancellation took effect\n"},
	} {
		var out bytes.Buffer
		require.NoError(t, (&cli{stdout: &out, noColor: true}).showCancelled(runs.Run{ID: "T-42"}, c.end, c.already))
		require.Equal(t, c.want, out.String())
	}
}
