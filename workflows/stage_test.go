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
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// deliberationID is the workflow id of the stories that need no other.
const deliberationID = "deliberation-T-42"

// runID is what the test environment calls every run.
const runID = "default-test-run-id"

// stage is a deliberation with everything around it: skipped time, a Ray, a NATS.
type stage struct {
	*testing.T

	env        *testsuite.TestWorkflowEnvironment
	ray        *fakeRay
	nats       *fakeNATS
	visibility *fakeVisibility
	settings   *domain.Settings
	opening    func()   // while the request is read
	scheduled  []string // activities in the order of their first start
	started    func(*activity.Info)
}

// Settings make the stage an environment, which a test may change at any time.
func (s *stage) Settings() domain.Settings {
	s.opening()
	return *s.settings
}

func newStage(t *testing.T) *stage {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: deliberationID, TaskQueue: contract.DefaultTaskQueue})
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // of a busy machine's time
	p := pace{env}
	s := &stage{
		T: t, env: env, ray: newFakeRay(p), nats: &fakeNATS{pace: p, ids: map[string]bool{}},
		visibility: &fakeVisibility{pace: p},
		settings:   &domain.Settings{Clusters: []domain.ClusterState{{Name: "local"}}, Events: true}, opening: nothing, started: func(*activity.Info) {},
	}
	workflows.Register(env, s)
	bind(env, s.ray, s.nats, s.visibility)
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		s.scheduled = append(s.scheduled, info.ActivityType.Name)
		s.started(info)
	})
	return s
}

// activities is what a worker and a test environment have in common.
type activities interface {
	RegisterActivityWithOptions(a any, options activity.RegisterOptions)
}

func bind(to activities, ray *fakeRay, nats *fakeNATS, visibility *fakeVisibility) {
	to.RegisterActivityWithOptions(ray.SubmitTurns, activity.RegisterOptions{Name: workflows.SubmitTurns.Name()})
	to.RegisterActivityWithOptions(ray.AwaitTurn, activity.RegisterOptions{Name: workflows.AwaitTurn.Name()})
	to.RegisterActivityWithOptions(ray.StopTurns, activity.RegisterOptions{Name: workflows.StopTurns.Name()})
	to.RegisterActivityWithOptions(nats.PublishEvents, activity.RegisterOptions{Name: workflows.PublishEvents.Name()})
	to.RegisterActivityWithOptions(visibility.CountDeliberations, activity.RegisterOptions{Name: workflows.CountDeliberations.Name()})
}

// run runs the deliberation to its end, and holds every end to the promise: nothing outlives it on Ray.
func (s *stage) run(request any) (contract.Result, error) {
	s.Helper()
	result, err := s.runBesidesRay(request)
	require.Empty(s, s.ray.live(), "turns outlive the deliberation")
	return result, err
}

// runBesidesRay is run where Ray can't be asked to stop anything.
func (s *stage) runBesidesRay(request any) (contract.Result, error) {
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

// at does something so long after the start.
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

// failed takes an error apart: its type, its message and its details.
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

// council is a legal request of so many agents, agent-1 and so on.

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

// quiet drops what the environment logs.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

// onOutbox tells what an outbox is started with.
func (s *stage) onOutbox(tell func(contract.OutboxInput)) {
	s.env.SetOnChildWorkflowStartedListener(func(_ *workflow.Info, _ workflow.Context, args converter.EncodedValues) {
		var in contract.OutboxInput
		require.NoError(s, args.Get(&in))
		tell(in)
	})
}

func kindsOf(events []contract.EventRecord) []domain.EventKind {
	kinds := make([]domain.EventKind, 0, len(events))
	for _, event := range events {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

func (s *stage) onOutboxID(tell func(id string)) {
	s.env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, _ converter.EncodedValues) {
		tell(info.WorkflowExecution.ID)
	})
}

// payload is what Temporal takes at most.
const payload = 2_000_000

// updateOf takes down what an update comes to.
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
