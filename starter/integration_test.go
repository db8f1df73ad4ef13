//go:build integration

package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/types/known/durationpb"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// patience is how long a test waits for what must come.
const patience = 2 * time.Minute

// TestLive runs the command line against a Temporal server and workers with fake activities: it needs
// neither Ray nor NATS.
func TestLive(t *testing.T) {
	temporal := os.Getenv("DELIBERATION_TEST_TEMPORAL")
	if temporal == "" {
		t.Skip("DELIBERATION_TEST_TEMPORAL is not set; it names a temporal binary, for example bin/temporal")
	}
	server, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{
		ClientOptions: &client.Options{Logger: fakes.SilentLogger()},
		ExistingPath:  temporal, LogLevel: "error", Stdout: io.Discard, Stderr: io.Discard, ExtraArgs: fakes.SearchAttributeFlags(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Stop() }) // the process ends with the test anyway

	// The scripts run in parallel, as subtests that the group waits for: the server outlives them.
	t.Run("script", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/integration",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				return setUp(env, server.Client(), server.FrontendHostPort())
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"exits": exits, "stop-worker": stopWorker, "start-worker": startWorker, "terminate": terminate,
				"start-by-hand": startByHand, "start-stats": startStats, "eventually": eventually, "release": release,
				"cut-off": cutOff, "restore": restore, "bare-namespace": bareNamespace, "ray-and-model": rayAndModel,
				"nats-server": natsServer,
			},
		})
	})
}

// scriptEnv is what each script has for itself: a task queue, a worker and a connection to Temporal.
type scriptEnv struct {
	client     client.Client
	queue      string
	connection *connection
	services   fakes.Services
	released   chan struct{}
	stop       func()
}

func setUp(env *testscript.Env, c client.Client, address string) error {
	w, err := newConnection(address)
	if err != nil {
		return err
	}
	s := &scriptEnv{client: c, queue: "queue-" + filepath.Base(env.WorkDir), connection: w, released: make(chan struct{})}
	s.services = newScenes(s.released)
	env.Values["env"] = s
	env.Setenv("TEMPORAL_ADDRESS", s.connection.listener.Addr().String())
	env.Setenv("TEMPORAL_CONFIG_FILE", env.WorkDir+"/none")
	env.Setenv("DELIBERATION_TASK_QUEUE", s.queue)
	env.Setenv("DELIBERATION_VLLM_URL", "http://model:8000")
	env.Setenv("DELIBERATION_VLLM_MODEL", "canned")
	env.Defer(func() {
		if s.stop != nil {
			s.stop()
		}
		s.connection.close()
	})
	return s.work()
}

func (s *scriptEnv) work() error {
	var started []worker.Worker
	s.stop = func() {
		for _, w := range started {
			w.Stop()
		}
		s.stop = nil
	}
	for _, queue := range []string{s.queue, contract.SubmitQueue(s.queue), contract.WaitQueue(s.queue)} {
		w := worker.New(s.client, queue, worker.Options{DeadlockDetectionTimeout: patience})
		workflows.Register(w, environment())
		s.services.Register(w)
		if err := w.Start(); err != nil {
			return err
		}
		started = append(started, w)
	}
	return s.polled()
}

// polled waits until the server knows of the workers: a start before that rightly warns of their absence.
func (s *scriptEnv) polled() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for queue, kind := range map[string]enumspb.TaskQueueType{
		s.queue:                       enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		contract.SubmitQueue(s.queue): enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		contract.WaitQueue(s.queue):   enumspb.TASK_QUEUE_TYPE_ACTIVITY,
	} {
		for {
			described, err := s.client.DescribeTaskQueue(ctx, queue, kind)
			if err != nil {
				return err
			}
			if len(described.GetPollers()) > 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

func on(ts *testscript.TestScript) *scriptEnv { return ts.Value("env").(*scriptEnv) } //nolint:forcetypeassert // set up above

func stopWorker(ts *testscript.TestScript, _ bool, _ []string) { on(ts).stop() }

func startWorker(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(on(ts).work()) }

// terminate ID REASON ends a run as an operator would.
func terminate(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(on(ts).client.TerminateWorkflow(context.Background(), args[0], "", args[1]))
}

// startByHand TYPE ID INPUT starts a workflow without the starter; INPUT is a file of JSON.
func startByHand(ts *testscript.TestScript, _ bool, args []string) {
	options := client.StartWorkflowOptions{ID: args[1], TaskQueue: on(ts).queue}
	if len(args) > 3 {
		timeout, err := time.ParseDuration(args[3])
		ts.Check(err)
		options.WorkflowExecutionTimeout = timeout
	}
	_, err := on(ts).client.ExecuteWorkflow(context.Background(), options, args[0], contract.RequestText([]byte(ts.ReadFile(args[2]))))
	ts.Check(err)
}

func startStats(ts *testscript.TestScript, _ bool, _ []string) {
	options := client.StartWorkflowOptions{ID: contract.StatsID, TaskQueue: on(ts).queue}
	_, err := on(ts).client.ExecuteWorkflow(context.Background(), options, contract.DeliberationStatsName, contract.StatsState{})
	ts.Check(err)
}

// bareNamespace NAME makes a namespace without search attributes.
func bareNamespace(ts *testscript.TestScript, _ bool, args []string) {
	_, err := on(ts).client.WorkflowService().RegisterNamespace(context.Background(), &workflowservice.RegisterNamespaceRequest{
		Namespace: args[0], WorkflowExecutionRetentionPeriod: durationpb.New(48 * time.Hour),
	})
	ts.Check(err)
}

// release lets the turns that are held go on to their end.
func release(ts *testscript.TestScript, _ bool, _ []string) { close(on(ts).released) }

// eventually TEXT PROGRAM ARGS... runs a program until its output has the text, or with ! until it hasn't.
func eventually(ts *testscript.TestScript, without bool, args []string) {
	last := ""
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // its exit code may be any until then
		last = ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if matches(args[0], last) != without {
			return
		}
	}
	ts.Fatalf("%q: it never was so that %q is in its output: %t; the last one was %s", args[1:], args[0], !without, last)
}

// cutOff takes Temporal away from the starter, and restore gives it back; the worker keeps it.
func cutOff(ts *testscript.TestScript, _ bool, _ []string) { on(ts).connection.cut() }

func restore(ts *testscript.TestScript, _ bool, _ []string) { on(ts).connection.restore() }

// connection is a connection to Temporal that can be cut. Its listener and its port stay.
type connection struct {
	to       string
	listener net.Listener

	mu   sync.Mutex
	away bool
	ends []net.Conn
}

func newConnection(to string) (*connection, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &connection{to: to, listener: listener}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			w.connect(near)
		}
	}()
	return w, nil
}

func (w *connection) connect(near net.Conn) {
	far, err := net.Dial("tcp", w.to)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.away {
		near.Close()
		if far != nil {
			far.Close()
		}
		return
	}
	w.ends = append(w.ends, near, far)
	go func() { _, _ = io.Copy(far, near); far.Close() }()
	go func() { _, _ = io.Copy(near, far); near.Close() }()
}

func (w *connection) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = true
	for _, end := range w.ends {
		end.Close()
	}
	w.ends = nil
}

func (w *connection) restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = false
}

func (w *connection) close() {
	w.listener.Close()
	w.cut()
}
