//go:build integration

package workflows_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// world is a real Temporal and real workers, with fake activities.
type world struct {
	*testing.T
	fakes.Services

	client      client.Client
	queue       string
	environment *fakes.Environment
	stops       map[string]func() // by queue
}

// recordWithin bounds a run that is recorded.
const recordWithin = 2 * time.Minute

// newWorld starts workers for one history, on a server that all histories share.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	server, err := sharedServer()
	require.NoError(t, err)
	return newWorldOn(t, name, server)
}

func newWorldOn(t *testing.T, name string, server *testsuite.DevServer) *world {
	t.Helper()
	if server == nil {
		t.Skip("DELIBERATION_TEST_TEMPORAL is not set; it names a temporal binary: make histories")
	}
	worker.SetStickyWorkflowCacheSize(0) // so each task replays the run, and no queue is named after the machine
	w := &world{
		T: t, Services: fakes.NewServices(nil), client: server.Client(), queue: name,
		environment: &fakes.Environment{Current: domain.Settings{
			Clusters: []domain.ClusterState{{Name: "local"}}, Events: true, Attributes: fakes.AttributeNames(),
		}},
	}
	w.work()
	t.Cleanup(w.stopWork)
	return w
}

var (
	shared       *testsuite.DevServer
	sharedServer = sync.OnceValues(func() (server *testsuite.DevServer, err error) {
		shared, err = startServer()
		return shared, err
	})
)

// startServer starts Temporal with our search attributes: an upsert before a server knows them would be
// recorded as a failed task. It returns nil without DELIBERATION_TEST_TEMPORAL.
func startServer(flags ...string) (*testsuite.DevServer, error) {
	program := os.Getenv("DELIBERATION_TEST_TEMPORAL")
	if program == "" {
		return nil, nil //nolint:nilnil // the caller skips its test
	}
	return testsuite.StartDevServer(context.Background(), testsuite.DevServerOptions{
		ClientOptions: &client.Options{Identity: "recorder", Logger: fakes.SilentLogger()},
		ExistingPath:  program, LogLevel: "error", Stdout: io.Discard, Stderr: io.Discard,
		ExtraArgs: append(fakes.SearchAttributeFlags(), flags...),
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		_ = shared.Stop()
	}
	os.Exit(code)
}

// work starts the workers of the three queues.
func (w *world) work() {
	w.Helper()
	w.stops = map[string]func(){}
	for _, queue := range []string{w.queue, contract.SubmitQueue(w.queue), contract.WaitQueue(w.queue)} {
		w.workOn(queue)
	}
}

func (w *world) workOn(queue string) {
	w.Helper()
	runs := worker.New(w.client, queue, worker.Options{Identity: "worker", DisableRegistrationAliasing: true})
	workflows.Register(runs, w.environment)
	w.Register(runs)
	require.NoError(w, runs.Start())
	w.stops[queue] = runs.Stop
}

func (w *world) stopWork() {
	for _, stop := range w.stops {
		stop()
	}
}

func (w *world) start(name string, input ...any) client.WorkflowRun {
	w.Helper()
	id := "recorded-" + w.queue + "-" + time.Now().UTC().Format("150405.000")
	run, err := w.client.ExecuteWorkflow(w.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: w.queue}, name, input...)
	require.NoError(w, err)
	return run
}

// keep replaces a recorded history. That is right until CHANGELOG.md names a release. From then on, recorded
// histories stand for runs of others and stay.
func (w *world) keep(name, id, runID string) *historypb.History {
	w.Helper()
	history := w.history(id, runID)
	if *update {
		fakes.WriteHistory(w, historyFile(name), history)
	}
	return history
}

func (w *world) history(id, runID string) *historypb.History {
	w.Helper()
	history := &historypb.History{}
	events := w.client.GetWorkflowHistory(w.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(w, err)
		history.Events = append(history.Events, event)
	}
	return history
}

func historyFile(name string) string {
	return filepath.Join("testdata", "histories", name+fakes.HistorySuffix)
}

func (w *world) eventually(what func() bool) {
	w.Helper()
	require.Eventually(w, what, 30*time.Second, 20*time.Millisecond)
}

// awaitTimeouts waits until so many activities of a run have timed out, which takes more than a minute.
func (w *world) awaitTimeouts(run client.WorkflowRun, count int) {
	w.Helper()
	require.Eventually(w, func() bool {
		timedOut := 0
		for _, event := range w.history(run.GetID(), run.GetRunID()).GetEvents() {
			if event.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT {
				timedOut++
			}
		}
		return timedOut >= count
	}, 2*time.Minute, time.Second)
}

func (w *world) awaiting(turns int) func() bool {
	return w.onRay(func() bool { return len(w.Ray.Awaited) >= turns })
}

// onRay evaluates a condition on the notes of the fake Ray.
func (w *world) onRay(holds func() bool) func() bool {
	return func() (held bool) {
		w.Ray.Look(func() { held = holds() })
		return held
	}
}

// onTwoClusters gives the run two clusters, of which it takes a first.
func (w *world) onTwoClusters() {
	w.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
	w.environment.Current.Grace = time.Minute
}
