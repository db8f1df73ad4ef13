package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestStats_ShowWhatEachPhaseCost(t *testing.T) {
	var out bytes.Buffer
	(&cli{stdout: &out}).printStats(contract.Stats{UsageByPhase: map[domain.PhaseKind]contract.PhaseUsage{
		domain.PeerReview: {PromptTokens: 900, CompletionTokens: 90, LLMCalls: 1},
		domain.Propose:    {PromptTokens: 300, CompletionTokens: 60, LLMCalls: 3},
	}})
	require.Contains(t, out.String(), `
propose         3 model calls, 300 prompt and 60 completion tokens
review          1 model call, 900 prompt and 90 completion tokens
counting for `)
}
