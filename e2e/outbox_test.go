//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/freeport"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

func TestNothingWaitsWithoutNATS(t *testing.T) {
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue, "NATS_URL=")
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))

	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))

	require.Equal(t, 1, stack.Result(t, run).CompletedAgents)
	require.Zero(t, stack.Scheduled(t, run, workflows.PublishEvents.Name()))
	for _, event := range stack.History(t, run) {
		require.NotEqual(t, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, event.GetEventType(), "there is no outbox")
		require.NotContains(t, event.GetActivityTaskScheduledEventAttributes().GetInput().String(), "events", "no activity has any")
	}
	require.NotContains(t, details(t, w), "nats")
}

func TestANATSThatRefusesTheWorkerDelaysOnlyTheEvents(t *testing.T) {
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "worker", Password: "right"}},
	}
	srv, err := server.NewServer(opts)
	require.NoError(t, err)
	srv.Start()
	t.Cleanup(srv.Shutdown)
	require.True(t, srv.ReadyForConnections(stack.Patience))
	url := strings.Replace(srv.ClientURL(), "nats://", "nats://worker:wrong@", 1)
	queue := stack.Queue(t)
	w := stack.StartWorker(t, queue, "NATS_URL="+url)
	model := stack.Model(t, "good")
	stack.Script(t, model, stack.Answers("0.5"))

	const refused = "the server refuses the user of NATS_URL"
	require.Contains(t, details(t, w)["nats"], refused)
	require.Contains(t, w.Log(t), refused)
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	got := stack.Result(t, run)
	require.Equal(t, 1, got.CompletedAgents)
	late := stack.TimeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED).Sub(got.CompletedAt)
	t.Logf("ended %s after the outcome was decided", late)
	require.Less(t, late, 10*time.Second, "two seconds for NATS, and the start of the outbox")

	right := opts.Clone()
	right.Users = []*server.User{{Username: "worker", Password: "wrong"}}
	require.NoError(t, srv.ReloadOptions(right))
	require.NoError(t, outboxOf(t, run).Get(t.Context(), nil))
	require.Equal(t, []string{"started", "agent_completed", "completed"}, stack.Kinds(allEvents(t, url)))
	require.Equal(t, "ok", details(t, w)["nats"])
}

// In this test NATS stops answering, comes back, and is killed in the middle of a batch.
func TestManyOutboxesLoseNoEventAndDelayNoStop(t *testing.T) {
	const deliberations, each = 100, 6
	news := startNATS(t)
	queue := stack.Queue(t)
	stack.StartWorker(t, queue, "NATS_URL="+news.url)
	model := stack.Model(t, "hangs")
	stack.Script(t, model, stack.Hangs())
	require.NoError(t, news.process.Signal(syscall.SIGSTOP))

	outboxes := startOutboxes(t, queue, deliberations, each)
	run := stack.Begin(t, queue, stack.Request(t, stack.Agents(model)))
	stack.AwaitOpenCalls(t, model, 1)
	require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), run.GetID(), run.GetRunID()))
	require.Error(t, run.Get(t.Context(), nil))
	stopped := stack.TimeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED).Sub(stack.TimeOf(t, run, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED))
	t.Logf("stopped and ended %s after the cancellation, next to %d outboxes", stopped, deliberations)
	require.Less(t, stopped, 15*time.Second)
	require.Zero(t, stack.OpenCalls(t, model))

	require.NoError(t, news.process.Signal(syscall.SIGCONT))
	stack.Eventually(t, "some events are stored", func(c *assert.CollectT) {
		stream, err := stack.JetStream(t, news.url).Stream(t.Context(), "DELIBERATION_EVENTS")
		require.NoError(c, err)
		require.Greater(c, stream.CachedInfo().State.Msgs, uint64(deliberations))
	})
	news.kill(t)
	news.start(t)
	for _, outbox := range append(outboxes, outboxOf(t, run)) {
		require.NoError(t, outbox.Get(t.Context(), nil))
	}

	numbers := map[string]int{}
	for _, e := range allEvents(t, news.url) {
		deliberation, rest, _ := strings.Cut(e.ID, "/run/")
		if rest == "" {
			continue // an event of the cancelled run
		}
		numbers[deliberation]++
		require.Equal(t, fmt.Sprintf("%d-%s", numbers[deliberation], domain.EventAgentCompleted), rest, "of %s", deliberation)
	}
	require.Len(t, numbers, deliberations)
	for deliberation, last := range numbers {
		require.Equal(t, each, last, deliberation)
	}
}

// startOutboxes starts outboxes, as deliberations do that end while NATS is away.
func startOutboxes(t *testing.T, queue string, deliberations, each int) []client.WorkflowRun {
	t.Helper()
	task, at := stack.Task(t), time.Now().UTC()
	started := make([]client.WorkflowRun, deliberations)
	var starting errgroup.Group
	starting.SetLimit(8)
	for i := range deliberations {
		id := fmt.Sprintf("%s-%d", task, i)
		var in contract.OutboxInput
		for number := 1; number <= each; number++ {
			in.Events = append(in.Events, contract.EventRecord{
				ID: domain.EventID(id, "run", number, domain.EventAgentCompleted), Kind: domain.EventAgentCompleted,
				DeliberationID: id, At: at, Data: json.RawMessage(`{}`),
			})
		}
		starting.Go(func() (err error) {
			options := client.StartWorkflowOptions{ID: id + "/outbox/run", TaskQueue: queue}
			started[i], err = stack.Temporal.ExecuteWorkflow(t.Context(), options, contract.DeliberationOutboxName, in)
			return err
		})
	}
	t.Cleanup(func() {
		for i := range deliberations {
			if t.Failed() {
				_ = stack.Temporal.TerminateWorkflow(context.Background(), fmt.Sprintf("%s-%d/outbox/run", task, i), "", "the test is over")
			}
		}
	})
	require.NoError(t, starting.Wait())
	return started
}

func outboxOf(t *testing.T, run client.WorkflowRun) client.WorkflowRun {
	t.Helper()
	return stack.Temporal.GetWorkflow(t.Context(), run.GetID()+"/outbox/"+run.GetRunID(), "")
}

// natsProcess is a NATS server that can be killed and started again with the same store.
type natsProcess struct {
	url, store, port string
	process          *os.Process
}

func startNATS(t *testing.T) *natsProcess {
	t.Helper()
	port := fmt.Sprint(freeport.Find(t))
	n := &natsProcess{url: "nats://127.0.0.1:" + port, store: t.TempDir(), port: port}
	n.start(t)
	t.Cleanup(func() { n.kill(t) })
	return n
}

func (n *natsProcess) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(stack.Path("bin/nats-server"), "-js", "-sd", n.store, "-a", "127.0.0.1", "-p", n.port)
	require.NoError(t, cmd.Start())
	n.process = cmd.Process
	stack.Eventually(t, "NATS answers", func(c *assert.CollectT) {
		connection, err := natsgo.Connect(n.url)
		require.NoError(c, err)
		connection.Close()
	})
}

func (n *natsProcess) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, n.process.Kill())
	_, err := n.process.Wait()
	require.NoError(t, err)
}

// allEvents returns what a server has stored, in the order of the stream.
func allEvents(t *testing.T, url string) []stack.Event {
	t.Helper()
	consumer, err := stack.JetStream(t, url).OrderedConsumer(t.Context(), "DELIBERATION_EVENTS", jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	info, err := consumer.Info(t.Context())
	require.NoError(t, err)
	batch, err := consumer.Fetch(int(info.NumPending))
	require.NoError(t, err)
	var stored []stack.Event
	for message := range batch.Messages() {
		var e stack.Event
		require.NoError(t, json.Unmarshal(message.Data(), &e))
		stored = append(stored, e)
	}
	require.NoError(t, batch.Error())
	require.Len(t, stored, int(info.NumPending))
	return stored
}

// details reads from a worker's readiness in which state each system is.
func details(t *testing.T, w *stack.Worker) map[string]string {
	t.Helper()
	response, err := stack.HTTP.Get("http://" + w.Address + "/readyz")
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var answer struct {
		Details map[string]string `json:"details"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Details
}
