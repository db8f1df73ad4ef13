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
	require.Equal(t, 6, attempts([]contract.AgentResult{{AgentProposal: contract.AgentProposal{Attempts: 2}}}, failures))

	for lost, want := range map[int]string{
		0: "wasted\n", 1: "\n1 attempt was lost with its runner; its cost is unknown\n",
		2: "\n2 attempts were lost with their runner; their cost is unknown\n",
	} {
		var out bytes.Buffer
		(&cli{stdout: &out}).printUsage(contract.TotalUsage{LLMCalls: 3}, 3+lost)
		require.True(t, strings.HasSuffix(out.String(), want), out.String())
	}
}

func TestAScoreOfNothingIsExplained(t *testing.T) {
	var out bytes.Buffer
	c := &cli{stdout: &out}
	read := func(agent, parse string) contract.AgentResult {
		return contract.AgentResult{AgentProposal: contract.AgentProposal{AgentID: agent, Score: 0.7, Metadata: map[string]string{"parse": parse}}}
	}
	c.printResult(contract.Result{Results: []contract.AgentResult{
		read("a", domain.ParsePlainText), read("b", ""), read("c", domain.ParseScoreInvalid), read("d", "score\x1b[2Jpercent"),
	}})
	require.Contains(t, out.String(), `
Answers that were not as asked for
  a: the answer is not the JSON object that was asked for, so it has no score
  c: the answer has no score from 0 to 1, so its score is 0
  d: read as score�[2Jpercent
`)

	out.Reset()
	c.printResult(contract.Result{Results: []contract.AgentResult{read("b", "")}})
	require.NotContains(t, out.String(), "asked for")
}

func TestARequestThatTheWorkflowRefusedIsBadUsage(t *testing.T) {
	require.Equal(t, exitUsage, exitCodeOf(runs.Ending{ErrorType: string(domain.InvalidRequest)}))
	require.Equal(t, exitFailed, exitCodeOf(runs.Ending{ErrorType: string(domain.DeliberationFailed)}))
}
