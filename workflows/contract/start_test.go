package contract_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// fakeTemporal is a namespace with at most one run.
type fakeTemporal struct {
	client.Client

	there  *commonpb.Payloads // the input of the run that is there
	closed enumspb.WorkflowExecutionStatus
	err    error

	started []client.StartWorkflowOptions
	inputs  []any
}

type fakeRun struct {
	client.WorkflowRun

	id, runID string
}

func (r fakeRun) GetID() string    { return r.id }
func (r fakeRun) GetRunID() string { return r.runID }

func (f *fakeTemporal) ExecuteWorkflow(
	_ context.Context, options client.StartWorkflowOptions, name any, args ...any,
) (client.WorkflowRun, error) {
	f.started = append(f.started, options)
	f.inputs = append(f.inputs, name, args[0])
	if f.err != nil {
		return nil, f.err
	}
	if f.there != nil && f.refuses(options) {
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("there", "", "old-run")
	}
	return fakeRun{id: options.ID, runID: "new-run"}, nil
}

// refuses is what the server does; an existing run is returned in silence unless an error is asked for.
func (f *fakeTemporal) refuses(options client.StartWorkflowOptions) bool {
	running := f.closed == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	completed := f.closed == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	again := options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	return options.WorkflowExecutionErrorWhenAlreadyStarted && (running || (completed && !again))
}

func (f *fakeTemporal) GetWorkflow(_ context.Context, id, runID string) client.WorkflowRun {
	return fakeRun{id: id, runID: runID}
}

func (f *fakeTemporal) GetWorkflowHistory(
	context.Context, string, string, bool, enumspb.HistoryEventFilterType,
) client.HistoryEventIterator {
	started := &historypb.WorkflowExecutionStartedEventAttributes{Input: f.there}
	return &fakes.Events{Events: []*historypb.HistoryEvent{{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{WorkflowExecutionStartedEventAttributes: started},
	}}}
}

func input(t *testing.T, request contract.Request) *commonpb.Payloads {
	t.Helper()
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(request)
	require.NoError(t, err)
	return payloads
}

func TestStart_StartsATaskThatIsNew(t *testing.T) {
	temporal := &fakeTemporal{}

	started, err := contract.Start(t.Context(), temporal, fakes.Council(2), contract.StartOptions{})

	require.NoError(t, err)
	require.False(t, started.Attached)
	require.Equal(t, []string{"deliberation-T-42", "new-run"}, []string{started.Run.GetID(), started.Run.GetRunID()})
	require.Equal(t, client.StartWorkflowOptions{
		ID: "deliberation-T-42", TaskQueue: "deliberations", StaticSummary: "T-42 · DEV · 2 agents",
		Memo:                                     map[string]any{"task_id": "T-42", "role": "DEV", "agents": 2},
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, temporal.started[0])
	require.Equal(t, "Deliberation", temporal.inputs[0])
	require.JSONEq(t, encode(t, fakes.Council(2)), encode(t, temporal.inputs[1]))
}

func TestStart_HandlesATaskThatIsAlreadyThere(t *testing.T) {
	const (
		running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
		completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	)
	explicit := contract.RequestText(fakes.EditedRequest(t, map[string]string{
		"constraints.timeout_seconds": "300", "agents.0.role": `"DEV"`, "protocol.review": `"none"`, "x-note": `"mine"`,
	}))
	tests := map[string]struct {
		status   enumspb.WorkflowExecutionStatus
		wanted   contract.Request
		rerun    bool
		attached bool
	}{
		"a running one is attached to":                {running, fakes.Council(2), false, true},
		"a completed one is attached to":              {completed, fakes.Council(2), false, true},
		"a failed one runs again":                     {failed, fakes.Council(2), false, false},
		"a completed one runs again when asked to":    {completed, fakes.Council(2), true, false},
		"a running one doesn't run twice":             {running, fakes.Council(2), true, true},
		"defaults that are written out are no change": {running, explicit, false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			temporal := &fakeTemporal{there: input(t, fakes.Council(2)), closed: test.status}

			started, err := contract.Start(t.Context(), temporal, test.wanted, contract.StartOptions{Rerun: test.rerun, TaskQueue: "mine"})

			require.NoError(t, err)
			require.Equal(t, test.attached, started.Attached)
			require.Equal(t, map[bool]string{true: "old-run", false: "new-run"}[test.attached], started.Run.GetRunID())
			require.Equal(t, "mine", temporal.started[0].TaskQueue)
		})
	}
}

func TestStart_NamesTheFieldsThatDifferFromTheExistingRequest(t *testing.T) {
	temporal := &fakeTemporal{there: input(t, fakes.Council(2)), closed: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	changed, seconds := fakes.Council(3), 60
	changed.Constraints.TimeoutSeconds = &seconds
	changed.TaskDescription, changed.Agents[0].Role = "Another", "QA"
	changed.Constraints.Metadata = map[string]string{"team": "identity"}

	_, err := contract.Start(t.Context(), temporal, changed, contract.StartOptions{})

	var different *contract.DifferentRequestError
	require.ErrorAs(t, err, &different)
	require.Equal(t, &contract.DifferentRequestError{
		DeliberationID: "deliberation-T-42", RunID: "old-run", Fields: []string{
			"agents[0].role", "agents[2].agent_id", "agents[2].model", "agents[2].role",
			"constraints.metadata.team", "constraints.timeout_seconds", "task_description",
		},
	}, different)
	require.ErrorContains(t, err, "deliberation-T-42 is another request; these fields differ: agents[0].role, ")
}

func TestStart_RefusesABadRequestBeforeAnyCall(t *testing.T) {
	temporal := &fakeTemporal{}
	request := fakes.Council(0)
	request.Role = " "

	_, err := contract.Start(t.Context(), temporal, request, contract.StartOptions{})

	var faults domain.Faults
	require.ErrorAs(t, err, &faults)
	require.Equal(t, "role: cannot be empty; agents: needs at least one agent", err.Error())
	require.Empty(t, temporal.started)
}

func TestStart_ReportsAnExistingRunWithoutARequest(t *testing.T) {
	temporal := &fakeTemporal{there: input(t, contract.RequestText([]byte(`{"task_id":7}`))), closed: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}
	_, err := contract.Start(t.Context(), temporal, fakes.Council(1), contract.StartOptions{})
	require.ErrorContains(t, err, "deliberation-T-42 was started with a request that breaks a rule: task_id: must be a string, got 7")

	temporal.there = &commonpb.Payloads{}
	_, err = contract.Start(t.Context(), temporal, fakes.Council(1), contract.StartOptions{})
	require.ErrorContains(t, err, "no input was given")
}

func TestStart_PassesOnWhatTheClientSays(t *testing.T) {
	away := errors.New("connection refused")
	_, err := contract.Start(t.Context(), &fakeTemporal{err: away}, fakes.Council(1), contract.StartOptions{})
	require.ErrorIs(t, err, away)
}

func TestStart_TheSummaryIsOneShortLine(t *testing.T) {
	temporal := &fakeTemporal{}
	request := fakes.Council(2)
	request.TaskID = "a\nb " + strings.Repeat("議", 48)
	request.Role = strings.Repeat("議", 66)

	_, err := contract.Start(t.Context(), temporal, request, contract.StartOptions{})

	require.NoError(t, err)
	require.LessOrEqual(t, domain.EncodedSize(temporal.started[0].StaticSummary), 200)
	require.NotContains(t, temporal.started[0].StaticSummary, "\n")
}
