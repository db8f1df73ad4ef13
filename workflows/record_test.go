//go:build integration

package workflows_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// path is a way in which a deliberation may go.
type path struct {
	request any
	given   func(*recording)
	during  func(*recording, client.WorkflowRun)
	ends    string // a part of its error; empty: it completes
	beyond  bool   // some turns may be left, since Ray doesn't answer a stop
}

func TestRecord_EachPathOfADeliberation(t *testing.T) {
	paths := maps.Clone(proposalPaths)
	maps.Copy(paths, laterPhasePaths)
	require.Len(t, paths, len(proposalPaths)+len(laterPhasePaths))
	for name, test := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecording(t, name)
			if test.given != nil {
				test.given(r)
			}
			request := test.request
			if request == nil {
				request = fakes.Council(2)
			}
			run := r.start(contract.DeliberationName, request)
			if test.during != nil {
				test.during(r, run)
			}
			ctx, cancel := context.WithTimeout(t.Context(), recordWithin)
			defer cancel()
			err := run.GetWithOptions(ctx, nil, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
			switch test.ends {
			case "":
				require.NoError(t, err)
			case "canceled":
				require.True(t, temporal.IsCanceledError(err), "%v", err)
			default:
				require.ErrorContains(t, err, test.ends)
			}
			require.True(t, test.beyond || len(r.Ray.Live()) == 0)
			r.keep(name, run.GetID(), run.GetRunID())
		})
	}
}

func longestNames() contract.Request {
	request := largest{agents: 2, template: 1, unit: "x"}.request()
	request.TaskDescription, request.Constraints.Metadata = "Add rate limiting to the login API", nil
	return request
}

func TestRecord_EventsThatAreLeftToTheOutbox(t *testing.T) {
	const name = "left_to_outbox"
	r := newRecording(t, name)
	r.NATS.ReplyTo = away(4)
	run := r.start(contract.DeliberationName, fakes.Council(2))
	require.NoError(t, run.Get(t.Context(), nil))
	history := r.keep(name, run.GetID(), run.GetRunID())
	for _, event := range history.GetEvents() {
		require.NotEqual(t, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, event.GetEventType())
	}
	outbox := run.GetID() + "/outbox/" + run.GetRunID()
	require.NoError(t, r.client.GetWorkflow(t.Context(), outbox, "").Get(t.Context(), nil))
	require.Equal(t, []domain.EventKind{
		domain.EventStarted, domain.EventAgentCompleted, domain.EventAgentCompleted, domain.EventCompleted,
	}, r.NATS.Kinds())
	r.keep("outbox", outbox, "")
}

func TestRecord_StatisticsContinuedAsNew(t *testing.T) {
	server, err := startServer("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=40")
	require.NoError(t, err)
	if server != nil {
		t.Cleanup(func() { _ = server.Stop() })
	}
	r := newRecordingOn(t, "stats_continued", server)
	r.Visibility.Replies = []fakes.Reply[contract.CountResult]{counted(3, 1)}
	run := r.start(contract.DeliberationStatsName, contract.StatsState{})
	for range 12 {
		handle, err := r.client.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: run.GetID(), UpdateName: contract.UpdateRefresh, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		require.NoError(t, err)
		var stats contract.Stats
		require.NoError(t, handle.Get(t.Context(), &stats))
		require.Equal(t, int64(3), stats.Total)
	}
	now := r.client.GetWorkflow(t.Context(), run.GetID(), "")
	require.NotEqual(t, run.GetRunID(), now.GetRunID())
	require.NoError(t, r.client.TerminateWorkflow(t.Context(), run.GetID(), "", "recorded"))
	history := r.keep("stats_continued", run.GetID(), run.GetRunID())
	last := history.GetEvents()[len(history.GetEvents())-1]
	require.True(t, strings.HasSuffix(last.GetEventType().String(), "ContinuedAsNew"))
}
