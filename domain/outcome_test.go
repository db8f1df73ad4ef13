package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"deliberation.io/deliberation/domain"
)

var aProposal = domain.Reading{Kind: domain.Propose}

func TestOutcomeOf(t *testing.T) {
	where := map[string]string{"submission_id": "t1", "cluster": "local"}
	broke := domain.NewTurnFailure(domain.ModelTimeout, "slow", true)
	paid := domain.Usage{PromptTokens: 3, CompletionTokens: 4, Calls: 1}
	for name, test := range map[string]struct {
		seen domain.Observation
		want domain.Outcome
	}{
		"running": {
			domain.Observation{State: domain.RayRunning, Usage: paid},
			domain.Outcome{Kind: domain.OutcomeRunning, Usage: paid, Metadata: where},
		},
		"failed, with what it cost": {
			domain.Observation{State: domain.RayFailed, Failure: broke, Usage: paid},
			domain.Outcome{Kind: domain.OutcomeFailed, Failure: broke, Usage: paid, Metadata: where},
		},
		"lost": {
			domain.Observation{State: domain.RayUnknown, Incarnation: "two"},
			domain.Outcome{Kind: domain.OutcomeLost, Reason: "runner runner/b/0 was restarted", Metadata: where},
		},
		"unreachable": {
			domain.Observation{Unreachable: "timeout"},
			domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: "timeout", Metadata: where},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, domain.OutcomeOf(theHandle, test.seen, aProposal, decodeJSON, 1000))
		})
	}
}

func TestACompletedOutcomeNamesWhereItCameFromAndHowItWasRead(t *testing.T) {
	done := domain.Completion{
		Text: `{"proposal":"do it","reasoning":"because","score":0.5}`, FinishReason: "stop", ResponseFormat: "json_object", Model: "qwen-served",
		Usage: domain.Usage{CompletionTokens: 7, Calls: 2}, Duration: time.Second,
	}
	outcome := domain.OutcomeOf(theHandle, domain.Observation{State: domain.RayCompleted, Completion: done}, aProposal, decodeJSON, 1000)
	require.Equal(t, domain.OutcomeCompleted, outcome.Kind)
	require.Equal(t, domain.RestoredAnswer("do it", "because", 0.5), outcome.Answer)
	require.Equal(t, done.Usage, outcome.Usage)
	require.Equal(t, time.Second, outcome.Duration)
	require.Equal(t, map[string]string{
		"submission_id": "t1", "cluster": "local", "finish_reason": "stop", "response_format": "json_object", "model": "qwen-served",
	}, outcome.Metadata)

	done.Text, done.ResponseFormat, done.Model = strings.Repeat("x", 11), "", ""
	outcome = domain.OutcomeOf(theHandle, domain.Observation{State: domain.RayCompleted, Completion: done}, aProposal, decodeJSON, 10)
	require.Equal(t, strings.Repeat("x", 10), outcome.Answer.Proposal())
	require.Equal(t, map[string]string{
		"submission_id": "t1", "cluster": "local", "finish_reason": "stop", "parse": "plain_text", "truncated": "true",
	}, outcome.Metadata)
}

func TestAScoreThatCannotBeReadIsShownAsItWasGiven(t *testing.T) {
	for score, shown := range map[string]string{`"8"`: "8", `85`: "85", `"` + strings.Repeat("x", 100) + `"`: strings.Repeat("x", 64)} {
		done := domain.Completion{Text: `{"proposal":"p","score":` + score + `}`}
		outcome := domain.OutcomeOf(theHandle, domain.Observation{State: domain.RayCompleted, Completion: done}, aProposal, decodeJSON, 1000)
		require.Zero(t, outcome.Answer.Score())
		require.Equal(t, "score_invalid", outcome.Metadata["parse"])
		require.Equal(t, shown, outcome.Metadata["score_given"])
	}
}

func TestAnEmptyProposalIsARetryableFailureThatWasPaid(t *testing.T) {
	outcome := domain.OutcomeOf(theHandle, domain.Observation{
		State: domain.RayCompleted, Completion: domain.Completion{Text: " ", FinishReason: "stop", Usage: domain.Usage{CompletionTokens: 7, Calls: 1}},
	}, aProposal, decodeJSON, 1000)
	require.Equal(t, domain.OutcomeFailed, outcome.Kind)
	require.Equal(t, domain.NewTurnFailure(domain.InvalidOutput, "the answer has an empty proposal", true), outcome.Failure)
	require.Equal(t, 7, outcome.Usage.Tokens())
}

func TestWhatWasPaidCountsWhereverItIsSaid(t *testing.T) {
	paid := domain.Usage{PromptTokens: 1, CompletionTokens: 2, Calls: 1}
	for _, seen := range []domain.Observation{
		{State: domain.RayCompleted, Usage: paid, Completion: domain.Completion{Text: "x"}},
		{State: domain.RayCompleted, Completion: domain.Completion{Text: "x", Usage: paid}},
		{State: domain.RayCompleted, Usage: paid, Completion: domain.Completion{Text: "x", Usage: paid}},
	} {
		require.Equal(t, paid, domain.OutcomeOf(theHandle, seen, aProposal, decodeJSON, 1000).Usage)
	}
}

func TestOutcomesAlwaysHaveAKindAndBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := anyObservation().Draw(t, "seen")
		seen.Completion.Text += anyText().Draw(t, "text")
		limit := rapid.IntRange(6, 100).Draw(t, "limit")
		outcome := domain.OutcomeOf(theHandle, seen, aProposal, decodeJSON, limit)
		require.NotEmpty(t, outcome.Kind)
		require.Equal(t, outcome.Kind == domain.OutcomeCompleted, outcome.Answer.Proposal() != "")
		require.LessOrEqual(t, domain.EncodedSize(outcome.Answer.Proposal())+domain.EncodedSize(outcome.Answer.Reasoning()), limit)
	})
}

func TestAModelServersWordsAreBounded(t *testing.T) {
	long := strings.Repeat("<", 3_000_000)
	outcome := domain.OutcomeOf(domain.Handle{TurnID: "t1"}, domain.Observation{
		State:      domain.RayCompleted,
		Completion: domain.Completion{Text: `{"proposal":"p"}`, FinishReason: long, ResponseFormat: long},
	}, aProposal, decodeJSON, 1000)
	for name, value := range outcome.Metadata {
		require.LessOrEqual(t, domain.EncodedSize(value), 64, name)
	}
}

func TestACutAnswerCountsOnlyIfItHasAWholeObject(t *testing.T) {
	whole := `{"proposal":"do it","score":0.5} and then I went on and`
	half := `{"proposal":"do i`
	draft := `{"proposal":"draft","score":0.9} On reflection: `
	for _, test := range []struct {
		name       string
		completion domain.Completion
		kind       domain.FailureKind // empty: it completed
		message    string
	}{
		{"whole, then rambling", domain.Completion{Text: whole, FinishReason: "length"}, "", ""},
		{"half an object", domain.Completion{Text: half, FinishReason: "length"}, domain.Truncated, "raise protocol.max_tokens"},
		{"prose", domain.Completion{Text: "I would", FinishReason: "length"}, domain.Truncated, "raise protocol.max_tokens"},
		{"whole, without a finish reason", domain.Completion{Text: whole}, "", ""},
		{"half, without a finish reason", domain.Completion{Text: half}, domain.ModelUnavailable, "without a finish_reason"},
		{"an object in the thoughts", domain.Completion{ReasoningText: whole, FinishReason: "stop"}, "", ""},
		{"blanks, and an object in the thoughts", domain.Completion{Text: " \n", ReasoningText: whole, FinishReason: "stop"}, "", ""},
		{"a draft and a cut object in the thoughts", domain.Completion{ReasoningText: draft + half, FinishReason: "length"}, domain.Truncated, "raise protocol.max_tokens"},
		{"a draft and half an object in the thoughts", domain.Completion{ReasoningText: draft + half, FinishReason: "stop"}, domain.InvalidOutput, "the last object of the answer has no end"},
		{"only thoughts", domain.Completion{ReasoningText: "hm", FinishReason: "stop"}, domain.InvalidOutput, "only the model's reasoning came"},
		{"thoughts in addition to an answer", domain.Completion{Text: "do it", ReasoningText: whole, FinishReason: "stop"}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen := domain.Observation{State: domain.RayCompleted, Completion: test.completion}
			outcome := domain.OutcomeOf(theHandle, seen, aProposal, decodeJSON, 1000)
			require.Equal(t, test.kind, outcome.Failure.Kind())
			require.Contains(t, outcome.Failure.Message(), test.message)
			if test.kind == "" {
				require.Equal(t, "do it", outcome.Answer.Proposal())
			} else {
				require.True(t, outcome.Failure.Retryable())
			}
		})
	}
}

func TestAWaitNamesTheModelAndTheNextTry(t *testing.T) {
	require.Empty(t, domain.Waiting{}.String())
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	waiting := domain.Waiting{Reason: "model m puts calls off: 503: loading", Status: 503, Since: since, NextTry: since.Add(8 * time.Second)}
	require.Equal(t, "model m puts calls off: 503: loading; since 03:04:05, next try 03:04:13 UTC", waiting.String())
}
