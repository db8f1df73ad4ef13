package runs

import (
	"cmp"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

func viewOfOne(state domain.AgentState) View {
	return View{
		Status: contract.Status{Phase: "propose", Status: domain.StatusRunning},
		Agents: []AgentView{{AgentStatus: contract.AgentStatus{
			AgentID: "agent-dev-001", Role: "DEV", State: state, Attempt: 1, Cluster: "local", SubmissionID: "t1",
		}}},
	}
}

func TestTheSameTroubleHasTheSameWords(t *testing.T) {
	for trouble, want := range map[string]string{
		"poll t1: refused": "local: poll: refused",
		"poll t1: read tcp 10.0.0.1:41000->10.0.0.2:8000: reset": "local: poll: read tcp 10.0.0.2:8000: reset",
		"poll t1: read tcp 10.0.0.1:41002->10.0.0.2:8000: reset": "local: poll: read tcp 10.0.0.2:8000: reset",
	} {
		v := viewOfOne(domain.AgentSubmitted)
		v.polled("t1", 0, trouble)
		v.nameTrouble()
		require.Equal(t, want, v.WaitingFor)
	}
}

func TestAWorkerThatDiedIsExplained(t *testing.T) {
	silence := &failurepb.Failure{Message: "activity Heartbeat timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
		TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: enumspb.TIMEOUT_TYPE_HEARTBEAT},
	}}
	require.Equal(t, "its worker fell silent; another one takes it over", troubleOf(&workflowpb.PendingActivityInfo{LastFailure: silence}))
	require.Equal(t, "no", troubleOf(&workflowpb.PendingActivityInfo{LastFailure: &failurepb.Failure{Message: "no"}}))
}

func TestALaterAttemptSaysWhyThePreviousOneFailed(t *testing.T) {
	timeline := NewTimeline()
	timeline.last["agent-dev-001"] = pastTurn{attempt: 1, reason: "ModelUnavailable: no answer", tokens: 3}
	v := viewOfOne(domain.AgentSubmitted)
	v.addHistory(timeline)
	require.Empty(t, v.Agents[0].After, "the first attempt still runs")

	v.Agents[0].Attempt = 2
	v.addHistory(timeline)
	require.Equal(t, "ModelUnavailable: no answer", v.Agents[0].After)
	require.Zero(t, v.Agents[0].Tokens, "tokens of a turn that runs are its heartbeat's")
}

func TestAnAgentThatHasEndedShowsItsTokens(t *testing.T) {
	timeline := NewTimeline()
	timeline.last["agent-dev-001"] = pastTurn{attempt: 1, tokens: 40}
	v := viewOfOne(domain.AgentCompleted)
	v.addHistory(timeline)
	require.Equal(t, 40, v.Agents[0].Tokens)
	require.Empty(t, v.Agents[0].After)
}

func TestNoAgentOfAClosedRunIsAtWork(t *testing.T) {
	for _, c := range []struct {
		state  domain.AgentState
		failed bool
		run    domain.DeliberationStatus
		want   domain.AgentState
	}{
		{domain.AgentCompleted, false, domain.StatusCancelled, domain.AgentCompleted},
		{domain.AgentSubmitted, true, domain.StatusCompleted, domain.AgentFailed},
		{domain.AgentSubmitted, false, domain.StatusCancelled, agentCancelled},
		{domain.AgentWaiting, false, domain.StatusCancelled, agentCancelled},
		{domain.AgentSubmitted, false, domain.StatusFailed, agentUnknown},
	} {
		require.Equal(t, c.want, stateAtEnd(c.state, c.failed, c.run))
	}
}

func TestACompletedRunHasNoOpenReview(t *testing.T) {
	history := fakes.ReadHistory(t, "../../workflows/testdata/histories/cancelled_in_review"+fakes.HistorySuffix)
	timeline := NewTimeline()
	for _, event := range history.GetEvents()[:len(history.GetEvents())-1] {
		timeline.Take(event)
	}
	timeline.Take(&historypb.HistoryEvent{
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
				Result: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte("{}")}}},
			},
		},
	})
	v, err := closedView(Run{}, timeline)
	require.NoError(t, err)
	require.Len(t, v.Agents, 2)
	for _, agent := range v.Agents {
		require.Equal(t, domain.AgentCompleted, agent.State, "its proposal counts; only its review was stopped")
	}
}

func TestAFailedAgentSaysWhy(t *testing.T) {
	for history, want := range map[string]struct{ open, closed string }{
		"all_fail":                {"ModelRejected: it broke", "ModelRejected: it broke"},
		"deadline_without_quorum": {"", "StillRunning: not finished by the deadline"}, // the end gave it up
	} {
		t.Run(history, func(t *testing.T) {
			timeline, open := NewTimeline(), ""
			for _, event := range fakes.ReadHistory(t, "../../workflows/testdata/histories/"+history+fakes.HistorySuffix).GetEvents() {
				timeline.Take(event)
				for _, agent := range OpenView(Run{}, timeline).Agents {
					open = cmp.Or(open, agent.Failure)
				}
			}
			closed, err := closedView(Run{}, timeline)
			require.NoError(t, err)
			require.Equal(t, domain.AgentFailed, closed.Agents[0].State)
			require.Equal(t, want.closed, closed.Agents[0].Failure)
			require.Equal(t, want.open, open)
		})
	}
}

func TestTheHeadlineLeavesTheFailuresToTheirList(t *testing.T) {
	end := Ending{Status: domain.StatusFailed, ErrorType: "DeliberationFailed", Message: "0 of 1 agent gave a proposal, 1 needed; a: ModelRejected: no; not; now"}
	end.Details.Failures = []contract.AgentFailure{{AgentID: "a"}}
	require.Equal(t, "failed: DeliberationFailed: 0 of 1 agent gave a proposal, 1 needed", end.Words())
}
