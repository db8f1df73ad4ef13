package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// testWorker is a worker for one activity, and its dependencies.
type testWorker struct {
	t    *testing.T
	ray  *fakeRay
	with activities.Dependencies

	stopWorker chan struct{}      // closed when the worker shuts down
	cancel     context.CancelFunc // as Temporal cancels an activity
	ctx        context.Context
	before     any // the last heartbeat of the attempt before
	beats      *fakes.Heartbeats
}

func newTestWorker(t *testing.T) *testWorker {
	t.Helper()
	w := &testWorker{t: t, ray: newFakeRay(), stopWorker: make(chan struct{}), beats: &fakes.Heartbeats{}}
	ctx, cancel := context.WithCancelCause(t.Context())
	w.ctx, w.cancel = ctx, func() { cancel(temporal.NewCanceledError()) }
	w.with = activities.Dependencies{Clusters: map[string]domain.RayCluster{"local": w.ray}, Owner: "namespace-1"}
	return w
}

// try runs one attempt of an activity, as a worker registers it.
func try[Out any](w *testWorker, name string, in any) (Out, error) {
	w.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(fakes.SilentLogger())
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{
		BackgroundActivityContext: w.ctx, Interceptors: []interceptor.WorkerInterceptor{w.beats},
	})
	env.SetWorkerStopChannel(w.stopWorker)
	if w.before != nil {
		env.SetHeartbeatDetails(w.before)
	}
	finish := activities.Register(activities.Workers{Main: env, Submit: env, Wait: env}, w.with)
	var out Out
	encoded, err := env.ExecuteActivity(name, in)
	finish()
	if err == nil {
		require.NoError(w.t, encoded.Get(&out))
	}
	return out, err
}

// failure returns the error with which the attempt failed in Temporal.
func failure(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	return failed
}

// council is a request of two agents, and the references to their first turns.
func council(t *testing.T) (contract.NormalisedRequest, []contract.TurnRef) {
	t.Helper()
	parsed, err := fakes.Council(2).Parse()
	require.NoError(t, err)
	var refs []contract.TurnRef
	council := domain.NewCouncil(parsed.Domain, domain.RunKey{WorkflowID: "deliberation-T-42", OriginalRunID: environmentRun})
	for _, assignment := range council.Plan().Next {
		refs = append(refs, contract.TurnRefOf(council.Turn(assignment)))
	}
	return parsed.Normalised, refs
}

// submission submits the council's first turns, and gives up after patience.
func submission(t *testing.T, patience time.Duration) contract.SubmitTurnsInput {
	t.Helper()
	request, refs := council(t)
	return contract.SubmitTurnsInput{
		DeliberationID: "deliberation-T-42", OriginalRunID: environmentRun, Brief: &contract.Brief{Request: &request}, Cluster: "local", Turns: refs,
		RunSeconds: 300, KeepSeconds: 600, GiveUpAt: time.Now().Add(patience),
	}
}
