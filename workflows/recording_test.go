//go:build integration

package workflows_test

import (
	"bytes"
	"compress/gzip"
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
	"google.golang.org/protobuf/encoding/protojson"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// recording runs workflows on a real Temporal with real workers and fake activities, and keeps their histories.
type recording struct {
	*testing.T
	fakes.Services

	client      client.Client
	queue       string
	environment *fakes.Environment
	stops       map[string]func() // by queue
}

// recordWithin bounds a run that is recorded.
const recordWithin = 2 * time.Minute

// newRecording starts workers for one history, on a server that all histories share.
func newRecording(t *testing.T, name string) *recording {
	t.Helper()
	server, err := sharedServer()
	require.NoError(t, err)
	return newRecordingOn(t, name, server)
}

func newRecordingOn(t *testing.T, name string, server *testsuite.DevServer) *recording {
	t.Helper()
	if server == nil {
		t.Skip("DELIBERATION_TEST_TEMPORAL is not set; it names a temporal binary: make histories")
	}
	worker.SetStickyWorkflowCacheSize(0) // so each task replays the run, and no queue is named after the machine
	r := &recording{
		T: t, Services: fakes.NewServices(nil), client: server.Client(), queue: name,
		environment: &fakes.Environment{Current: domain.Settings{
			Clusters: []domain.ClusterState{{Name: "local"}}, Events: true, Attributes: fakes.AttributeNames(),
		}},
	}
	r.work()
	t.Cleanup(r.stopWork)
	return r
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
func (r *recording) work() {
	r.Helper()
	r.stops = map[string]func(){}
	for _, queue := range []string{r.queue, contract.SubmitQueue(r.queue), contract.WaitQueue(r.queue)} {
		r.workOn(queue)
	}
}

func (r *recording) workOn(queue string) {
	r.Helper()
	runs := worker.New(r.client, queue, worker.Options{Identity: "worker", DisableRegistrationAliasing: true})
	workflows.Register(runs, r.environment)
	r.Register(runs)
	require.NoError(r, runs.Start())
	r.stops[queue] = runs.Stop
}

func (r *recording) stopWork() {
	for _, stop := range r.stops {
		stop()
	}
}

func (r *recording) start(name string, input ...any) client.WorkflowRun {
	r.Helper()
	id := "recorded-" + r.queue + "-" + time.Now().UTC().Format("150405.000")
	run, err := r.client.ExecuteWorkflow(r.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: r.queue}, name, input...)
	require.NoError(r, err)
	return run
}

// keep replaces a recorded history. That is right until CHANGELOG.md names a release. From then on, recorded
// histories stand for runs of others and stay.
func (r *recording) keep(name, id, runID string) *historypb.History {
	r.Helper()
	history := r.history(id, runID)
	if *update {
		writeHistory(r, historyFile(name), history)
	}
	return history
}

func (r *recording) history(id, runID string) *historypb.History {
	r.Helper()
	history := &historypb.History{}
	events := r.client.GetWorkflowHistory(r.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		require.NoError(r, err)
		history.Events = append(history.Events, event)
	}
	return history
}

func historyFile(name string) string {
	return filepath.Join("testdata", "histories", name+fakes.HistorySuffix)
}

func (r *recording) eventually(what func() bool) {
	r.Helper()
	require.Eventually(r, what, 30*time.Second, 20*time.Millisecond)
}

// awaitTimeouts waits until so many activities of a run have timed out, which takes more than a minute.
func (r *recording) awaitTimeouts(run client.WorkflowRun, count int) {
	r.Helper()
	require.Eventually(r, func() bool {
		timedOut := 0
		for _, event := range r.history(run.GetID(), run.GetRunID()).GetEvents() {
			if event.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT {
				timedOut++
			}
		}
		return timedOut >= count
	}, 2*time.Minute, time.Second)
}

func (r *recording) awaiting(turns int) func() bool {
	return r.onRay(func() bool { return len(r.Ray.Awaited) >= turns })
}

// onRay evaluates a condition on the notes of the fake Ray.
func (r *recording) onRay(holds func() bool) func() bool {
	return func() (held bool) {
		r.Ray.Look(func() { held = holds() })
		return held
	}
}

// onTwoClusters gives the run two clusters, of which it takes a first.
func (r *recording) onTwoClusters() {
	r.environment.Current.Clusters = []domain.ClusterState{{Name: "a", Up: true, Room: true}, {Name: "b", Up: true, Room: true}}
	r.environment.Current.Grace = time.Minute
}

// writeHistory replaces a recorded history.
func writeHistory(t testing.TB, file string, history *historypb.History) {
	t.Helper()
	text, err := protojson.Marshal(history)
	require.NoError(t, err)
	var compressed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	require.NoError(t, err)
	_, err = writer.Write(text)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, compressed.Bytes(), 0o600))
}
