package statistics_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func endings(stats contract.Stats) []int64 {
	return []int64{stats.Total, stats.Completed, stats.Failed, stats.Cancelled, stats.TimedOut, stats.Terminated}
}

func TestRollUp_KeepsWhatVisibilityForgets(t *testing.T) {
	visibility := &fakeVisibility{page: 3}
	for n, status := range []string{"Completed", "Completed", "Failed", "Canceled", "TimedOut", "Terminated"} {
		ends(visibility.starts(n), status, time.Duration(n+1)*time.Second)
	}
	first := tryCountFrom(t, visibility, contract.RollUp{})
	visibility.runs = nil

	second := tryCountFrom(t, visibility, first.RollUp)

	require.Equal(t, []int64{6, 2, 3, 1, 1, 1}, endings(first.Stats))
	require.Equal(t, endings(first.Stats), endings(second.Stats))
	require.InDelta(t, 1500, second.Stats.AverageMS, 0)
	require.InEpsilon(t, 2000, second.Stats.P95MS, 0.01)
}

func TestRollUp_TimesARunFromItsStartToItsDecision(t *testing.T) {
	zipped := converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true}))
	tests := map[string]struct {
		reads     converter.DataConverter
		memo      *commonpb.Memo
		executed  float64
		ofTheRole string
	}{
		"as its memo says":                           {nil, memo(map[string]any{contract.MemoExecutionTime: 1700, contract.MemoRole: "DEV"}), 1700, "DEV"},
		"as its memo says by the worker's converter": {zipped, memoBy(zipped, map[string]any{contract.MemoExecutionTime: 1700, contract.MemoRole: "DEV"}), 1700, "DEV"},
		"until its end if its memo can't be read":    {nil, memoBy(zipped, map[string]any{contract.MemoExecutionTime: 1700, contract.MemoRole: "DEV"}), 2000, ""},
		"until its end without a memo":               {nil, nil, 2000, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, visibility := newCounted(t)
			w.memos = test.reads
			ends(visibility.starts(1), "Completed", 2*time.Second)
			visibility.starts(2)
			for _, run := range visibility.runs {
				run.Memo = test.memo
			}

			out, err := tryCount(w)

			require.NoError(t, err)
			require.InDelta(t, test.executed, out.Stats.AverageMS, 0)
			require.InEpsilon(t, test.executed, out.Stats.P95MS, 0.01)
			require.Equal(t, test.ofTheRole, out.Jobs[0].Role)
		})
	}
}

func TestRollUp_AddsWhatEachPhaseCost(t *testing.T) {
	type usage = map[domain.PhaseKind]contract.PhaseUsage
	visibility := &fakeVisibility{page: 2}
	for n, cost := range []any{
		usage{domain.Propose: {PromptTokens: 100, CompletionTokens: 20, LLMCalls: 3}},
		usage{domain.Propose: {PromptTokens: 10, CompletionTokens: 2, LLMCalls: 1}, domain.PeerReview: {PromptTokens: 7, CompletionTokens: 5, LLMCalls: 2}},
		"of another shape",
		usage{"of another release": {LLMCalls: 1}},
	} {
		run := visibility.starts(n)
		ends(run, []string{"Completed", "Failed"}[n%2], time.Second)
		run.Memo = memo(map[string]any{contract.MemoUsageByPhase: cost})
	}
	first := tryCountFrom(t, visibility, contract.RollUp{})
	last := visibility.starts(4)
	ends(last, "Canceled", time.Since(dawn))
	last.Memo = memo(map[string]any{contract.MemoUsageByPhase: usage{domain.Revise: {LLMCalls: 9}}})

	second := tryCountFrom(t, visibility, first.RollUp)

	want := usage{
		domain.Propose:    {PromptTokens: 110, CompletionTokens: 22, LLMCalls: 4},
		domain.PeerReview: {PromptTokens: 7, CompletionTokens: 5, LLMCalls: 2},
	}
	require.Equal(t, want, first.Stats.UsageByPhase)
	want[domain.Revise] = contract.PhaseUsage{LLMCalls: 9}
	require.Equal(t, want, second.Stats.UsageByPhase, "each run counts once")
	require.NotContains(t, first.RollUp.UsageByPhase, domain.Revise)
}

func TestRollUp_TakesTheNearestRank(t *testing.T) {
	visibility := &fakeVisibility{page: 20}
	for n := range 12 {
		ends(visibility.starts(n), "Completed", time.Duration(n+1)*time.Second)
	}

	out := tryCountFrom(t, visibility, contract.RollUp{})

	require.InEpsilon(t, 12_000, out.Stats.P95MS, 0.01, "95 % of 12 are 11.4: the twelfth")
}

func TestRollUp_ReadsAgainOnlyTheLastFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		visibility := &fakeVisibility{page: 3}
		first := tryCountFrom(t, visibility, contract.RollUp{})
		time.Sleep(time.Hour)
		second := tryCountFrom(t, visibility, first.RollUp)

		require.Equal(t, first.AsOf, first.RollUp.Watermark)
		require.Equal(t, first.AsOf.Add(-5*time.Minute), first.RollUp.RereadFrom)
		require.Equal(t, first.AsOf.Add(time.Hour), second.RollUp.Watermark)
		require.Contains(t, visibility.queries[1], " AND CloseTime IS NOT NULL")
		require.NotContains(t, visibility.queries[1], ">=", "the first count reads everything")
		require.Contains(t, visibility.queries[3], "CloseTime >= '1999-12-31T23:55:00Z'")
	})
}

func TestRollUp_AClockThatGoesBackTakesNothingBack(t *testing.T) {
	visibility := &fakeVisibility{page: 3}
	later := time.Now().Add(time.Minute).UTC()

	out := tryCountFrom(t, visibility, contract.RollUp{Watermark: later, RereadFrom: later.Add(-time.Second), Completed: 3})

	require.Equal(t, later, out.RollUp.Watermark)
	require.Equal(t, later.Add(-time.Second), out.RollUp.RereadFrom)
	require.Equal(t, int64(3), out.Stats.Completed)
}

func TestRollUp_ARunThatWasResetIsTheOneThatGoesOn(t *testing.T) {
	visibility := &fakeVisibility{page: 3, reset: map[string]bool{"run-1": true}, deleted: map[string]bool{"run-2": true}}
	for n := range 4 {
		ends(visibility.starts(n), "Terminated", time.Since(dawn))
	}
	visibility.starts(4)

	first := tryCountFrom(t, visibility, contract.RollUp{})
	second := tryCountFrom(t, visibility, first.RollUp)

	require.Equal(t, []int64{4, 0, 3, 0, 0, 3}, endings(first.Stats))
	require.Equal(t, endings(first.Stats), endings(second.Stats))
	require.Equal(t, 4, visibility.looked, "no history is read twice")
}

func TestRollUp_APausedRunIsActive(t *testing.T) {
	visibility := &fakeVisibility{page: 3}
	visibility.starts(1).Status = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED

	out := tryCountFrom(t, visibility, contract.RollUp{})

	require.Equal(t, int64(1), out.Stats.Active)
	require.Len(t, out.Jobs, 1)
}

func TestRollUp_WhatHasEndedIsNotActiveThoughAnIndexStillSaysSo(t *testing.T) {
	visibility := &fakeVisibility{page: 3}
	ends(visibility.starts(1), "Completed", time.Since(dawn))
	first := tryCountFrom(t, visibility, contract.RollUp{})
	visibility.runs = nil
	visibility.starts(1)

	second := tryCountFrom(t, visibility, first.RollUp)

	require.Equal(t, int64(1), second.Stats.Total)
	require.Zero(t, second.Stats.Active)
}

func TestRollUp_WaitsForAServerThatIsTooBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		visibility := &fakeVisibility{page: 3}
		ends(visibility.starts(1), "Completed", time.Second)
		for range 5 {
			visibility.says = append(visibility.says, serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "slow down"))
		}

		require.Equal(t, int64(1), tryCountFrom(t, visibility, contract.RollUp{}).Stats.Completed)
	})
}
