package workflows_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// deliberationID is the workflow id, unless a test sets another one.
const deliberationID = "deliberation-T-42"

// runID is the run id of every run in the test environment.
const runID = "default-test-run-id"

// stage is a deliberation with everything around it: skipped time, an environment to read, and fakes.
type stage struct {
	*testing.T
	fakes.Services

	env         *testsuite.TestWorkflowEnvironment
	environment *fakes.Environment
	scheduled   []string // activities in the order of their first start
	started     func(*activity.Info)
}

func newStage(t *testing.T) *stage {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(fakes.SilentLogger())
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: deliberationID, TaskQueue: contract.DefaultTaskQueue})
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // since the machine may be busy
	s := &stage{
		T: t, Services: fakes.NewServices(env), env: env, started: func(*activity.Info) {},
		environment: &fakes.Environment{Current: domain.Settings{Clusters: []domain.ClusterState{{Name: "local"}}, Events: true}},
	}
	workflows.Register(env, s.environment)
	s.Register(env)
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		s.scheduled = append(s.scheduled, info.ActivityType.Name)
		s.started(info)
	})
	return s
}

// runAndExpectNothingLeft runs the deliberation to its end, whatever that is, and fails the test if a turn
// is left running on Ray.
func (s *stage) runAndExpectNothingLeft(request any) (contract.Result, error) {
	s.Helper()
	result, err := s.run(request)
	require.Empty(s, s.Ray.Live(), "turns outlive the deliberation")
	return result, err
}

// run runs the deliberation to its end, where Ray can't be asked to stop everything.
func (s *stage) run(request any) (contract.Result, error) {
	s.Helper()
	s.env.ExecuteWorkflow(contract.DeliberationName, request)
	require.True(s, s.env.IsWorkflowCompleted())
	if err := s.env.GetWorkflowError(); err != nil {
		return contract.Result{}, err
	}
	var result contract.Result
	require.NoError(s, s.env.GetWorkflowResult(&result))
	return result, nil
}

// at calls a function at a time after the start.
func (s *stage) at(after time.Duration, do func()) { s.env.RegisterDelayedCallback(do, after) }

func (s *stage) cancelAt(after time.Duration) { s.at(after, s.env.CancelWorkflow) }

func (s *stage) status() contract.Status {
	s.Helper()
	return ask[contract.Status](s, contract.QueryStatus)
}

func ask[Out any](s *stage, query string) Out {
	s.Helper()
	var out Out
	value, err := s.env.QueryWorkflow(query)
	require.NoError(s, err)
	require.NoError(s, value.Get(&out))
	return out
}

func (s *stage) details() string {
	s.Helper()
	return ask[*sdkpb.WorkflowMetadata](s, "__temporal_workflow_metadata").GetCurrentDetails()
}

// failed returns the type, the message and the details of an error.
func failed(t testing.TB, err error) (kind domain.FailureKind, message string, details contract.FailureDetails) {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	require.True(t, application.NonRetryable())
	if application.HasDetails() {
		require.NoError(t, application.Details(&details))
	}
	return domain.FailureKind(application.Type()), application.Message(), details
}

func retries(request contract.Request, n int) contract.Request {
	request.Constraints.MaxRetries = &n
	return request
}

func timeout(request contract.Request, seconds int) contract.Request {
	request.Constraints.TimeoutSeconds = &seconds
	return request
}

func queueTimeout(request contract.Request, seconds int) contract.Request {
	request.Constraints.QueueTimeoutSeconds = &seconds
	return request
}

func quorum(request contract.Request, n int) contract.Request {
	request.Protocol = &contract.Protocol{Quorum: &n}
	return request
}

func encode(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// onOutbox calls a function with the input of an outbox.
func (s *stage) onOutbox(see func(contract.OutboxInput)) {
	s.env.SetOnChildWorkflowStartedListener(func(_ *workflow.Info, _ workflow.Context, args converter.EncodedValues) {
		var in contract.OutboxInput
		require.NoError(s, args.Get(&in))
		see(in)
	})
}

func (s *stage) onOutboxID(see func(id string)) {
	s.env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		see(info.WorkflowExecution.ID)
	})
}

// payload is the largest size of a payload that Temporal takes.
const payload = 2_000_000

// updateOf records the result of an update.
func updateOf(r *refreshed, then func()) *testsuite.TestUpdateCallback {
	return &testsuite.TestUpdateCallback{
		OnAccept: r.Accept,
		OnReject: r.Reject,
		OnComplete: func(value any, err error) {
			r.err, r.done = err, true
			if stats, ok := value.(contract.Stats); ok {
				r.stats = stats
			}
			then()
		},
	}
}
