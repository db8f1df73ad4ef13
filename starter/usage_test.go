package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestACouncilOfSeveralModelsIsAGroupOfItsOwn(t *testing.T) {
	request := contract.RequestText([]byte(`{"task_id":"T","task_description":"d","role":"DEV",
		"constraints":{"story_id":"s","plan_id":"p","metadata":{"team":"identity"}},"vllm_url":"http://m","vllm_model":"small",
		"agents":[{"agent_id":"a"},{"agent_id":"b","model":"large"},{"agent_id":"c"}]}`))
	require.Equal(t, "large, small", groupOf(request, "model"))
	judged := contract.RequestText([]byte(`{"task_id":"T","task_description":"d","role":"DEV",
		"constraints":{"story_id":"s","plan_id":"p"},"vllm_url":"http://m","vllm_model":"small",
		"agents":[{"agent_id":"a"},{"agent_id":"b"}],"protocol":{"review":"judge","judge_model":"large"}}`))
	require.Equal(t, "large, small", groupOf(judged, "model"), "the judge's calls were paid for too")
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
		{"a", 1, contract.TotalUsage{CompletionTokens: 5, WastedTokens: 2}, 1},
		{"b", 2, contract.TotalUsage{PromptTokens: 3, LLMCalls: 4}, 2},
	}, kept.Groups)
	require.Equal(t, 3, kept.Total.Deliberations)
}

func TestAccountsAddUpTheCostsThatAreKnown(t *testing.T) {
	cost, other := 0.5, 0.25
	var kept accounts
	kept.add("a", contract.TotalUsage{LLMCalls: 1, Cost: &cost})
	kept.add("a", contract.TotalUsage{LLMCalls: 1, Cost: &other})
	kept.add("a", contract.TotalUsage{LLMCalls: 1})
	require.InDelta(t, 0.75, *kept.Groups[0].Cost, 1e-9)
	require.Equal(t, 1, kept.Groups[0].Unpriced)
	require.InDelta(t, 0.5, cost, 1e-9, "the result that was read stays as it is")
}

func TestAccountsByPhaseCountADeliberationInEachOfItsPhases(t *testing.T) {
	var kept accounts
	kept.addPhases(contract.TotalUsage{PromptTokens: 30, LLMCalls: 5, ByPhase: map[domain.PhaseKind]contract.PhaseUsage{
		domain.Propose: {PromptTokens: 10, LLMCalls: 3}, domain.PeerReview: {PromptTokens: 20, LLMCalls: 2},
	}})
	kept.addPhases(contract.TotalUsage{PromptTokens: 7, LLMCalls: 1})
	kept.sort()
	require.Len(t, kept.Groups, 2)
	require.Equal(t, "review", kept.Groups[0].Name)
	require.Equal(t, []int{1, 2, 20}, []int{kept.Groups[0].Deliberations, kept.Groups[0].LLMCalls, kept.Groups[0].PromptTokens})
	require.Equal(t, []int{2, 4, 17}, []int{kept.Groups[1].Deliberations, kept.Groups[1].LLMCalls, kept.Groups[1].PromptTokens})
	require.Equal(t, 2, kept.Total.Deliberations)
	require.Equal(t, 37, kept.Total.PromptTokens)
}
