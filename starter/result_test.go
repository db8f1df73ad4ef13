package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

func TestLostAttemptsAreNamed(t *testing.T) {
	failures := []contract.AgentFailure{
		{ErrorType: domain.LostRepeatedly, Attempts: 4},
		{ErrorType: domain.StillRunning, Attempts: 1}, // stopped, perhaps before its call
	}
	require.Equal(t, 6, attempts([]contract.AgentResult{{Attempts: 2}}, failures))

	for lost, want := range map[int]string{
		0: "wasted\n", 1: "\n1 attempt was lost with its runner; its cost is unknown\n",
		2: "\n2 attempts were lost with their runner; their cost is unknown\n",
	} {
		var out bytes.Buffer
		(&cli{stdout: &out}).printUsage(contract.TotalUsage{LLMCalls: 3}, 3+lost)
		require.True(t, strings.HasSuffix(out.String(), want), out.String())
	}
}

func TestARequestThatTheWorkflowRefusedIsBadUsage(t *testing.T) {
	require.Equal(t, exitUsage, exitCodeOf(runs.Ending{ErrorType: string(domain.InvalidRequest)}))
	require.Equal(t, exitFailed, exitCodeOf(runs.Ending{ErrorType: string(domain.DeliberationFailed)}))
}
