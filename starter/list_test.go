package main

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

func payloads(t *testing.T, values map[string]any) map[string]*commonpb.Payload {
	t.Helper()
	encoded := map[string]*commonpb.Payload{}
	for name, value := range values {
		payload, err := converter.GetDefaultDataConverter().ToPayload(value)
		require.NoError(t, err)
		encoded[name] = payload
	}
	return encoded
}

func TestAListSaysWhatTheMemoKnowsWhereAttributesAreMissing(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: "d", RunId: "r"}, Status: enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		StartTime: timestamppb.New(begun), CloseTime: timestamppb.New(begun.Add(1500 * time.Millisecond)),
		Memo: &commonpb.Memo{Fields: payloads(t, map[string]any{contract.MemoTaskID: "T-1", contract.MemoRole: "DEV", contract.MemoScore: 0.25, contract.MemoError: "no room"})},
	}
	line := listedOf(runs.Run{ID: "d", RunID: "r", Info: info})
	require.Equal(t, "T-1 DEV timed_out", line.TaskID+" "+line.Role+" "+line.Status)
	require.InDelta(t, 0.25, *line.Score, 0)
	require.Equal(t, "no room", *line.ErrorMessage)
	require.EqualValues(t, 1500, line.TookMS)

	info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: payloads(t, map[string]any{"DeliberationRole": "QA", "DeliberationScore": 0.5})}
	line = listedOf(runs.Run{ID: "d", RunID: "r", Info: info})
	require.Equal(t, "QA", line.Role)
	require.InDelta(t, 0.5, *line.Score, 0)

	info.Memo, info.SearchAttributes = nil, nil // refused before it had any
	line = listedOf(runs.Run{ID: "d", RunID: "r", Info: info})
	require.Empty(t, line.Role)
	require.Nil(t, line.Score)
	require.Nil(t, line.ErrorMessage)
}

func TestSinceTakesDaysAndWeeks(t *testing.T) {
	for typed, want := range map[string]time.Duration{"90m": 90 * time.Minute, "24h": day, "7d": week, "2w": 2 * week} {
		cmd := (&cli{}).listCommand()
		require.NoError(t, cmd.Flags().Set("since", typed))
		require.Equal(t, want.String(), time.Duration(*cmd.Flags().Lookup("since").Value.(*model.Duration)).String()) //nolint:forcetypeassert // it is one
	}
	for _, typed := range []string{"", "d", "7", "-1d", "1.5d", "999999d", "9999999999999w"} {
		require.Error(t, (&cli{}).listCommand().Flags().Set("since", typed), typed)
	}
}

func TestATimeOfNothingIsNoTime(t *testing.T) {
	cmd := (&cli{}).listCommand()
	start, err := startOf(cmd, 0)
	require.NoError(t, err)
	require.Zero(t, start, "no time was given")
	require.NoError(t, cmd.Flags().Set("since", "0h"))
	_, err = startOf(cmd, 0)
	require.ErrorContains(t, err, longTime)
}

func TestAListSaysWhySomethingFailedWhereSomethingDid(t *testing.T) {
	var out strings.Builder
	c := &cli{stdout: &out}
	why := "no model\nanswers"
	c.printListing(listing{Deliberations: []listed{{DeliberationID: "d-1", Status: "completed"}}})
	require.NotContains(t, out.String(), "WHY")

	c.printListing(listing{Deliberations: []listed{{DeliberationID: "d-1", Status: "completed"}, {DeliberationID: "d-2", Status: "failed", ErrorMessage: &why}}})
	require.Contains(t, out.String(), "WHY")
	require.Regexp(t, `d-2 .*failed .*no model.answers`, out.String())
}
