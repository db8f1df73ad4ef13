package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/workflows/contract"
)

func TestACouncilOfSeveralModelsIsAGroupOfItsOwn(t *testing.T) {
	request := contract.RequestText([]byte(`{"task_id":"T","task_description":"d","role":"DEV",
		"constraints":{"story_id":"s","plan_id":"p","metadata":{"team":"identity"}},"vllm_url":"http://m","vllm_model":"small",
		"agents":[{"agent_id":"a"},{"agent_id":"b","model":"large"},{"agent_id":"c"}]}`))
	require.Equal(t, "large, small", groupOf(request, "model"))
	require.Equal(t, "identity", groupOf(request, "team"))
	require.Equal(t, "DEV", groupOf(request, "role"))
	require.Empty(t, groupOf(contract.RequestText([]byte(`{}`)), "team"))
}

func TestAccountsAddUpAndBeginWithTheMostTokens(t *testing.T) {
	var kept accounts
	kept.add("b", contract.TotalUsage{PromptTokens: 1, LLMCalls: 1})
	kept.add("a", contract.TotalUsage{CompletionTokens: 5, WastedTokens: 2})
	kept.add("b", contract.TotalUsage{PromptTokens: 2, LLMCalls: 3})
	kept.sort()
	require.Equal(t, []account{
		{"a", 1, contract.TotalUsage{CompletionTokens: 5, WastedTokens: 2}},
		{"b", 2, contract.TotalUsage{PromptTokens: 3, LLMCalls: 4}},
	}, kept.Groups)
	require.Equal(t, 3, kept.Total.Deliberations)
}
