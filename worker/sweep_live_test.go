//go:build integration

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/sweep"
	"deliberation.io/deliberation/workflows/contract"
)

const patience = 2 * time.Minute

// TestLive_WorkOfARunThatWasEndedFromOutside runs on a whole stack; `make integration` starts one.
func TestLive_WorkOfARunThatWasEndedFromOutside(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		end     func(*testing.T, client.Client, client.WorkflowRun)
		kind    domain.FailureKind
		says    string
	}{
		"terminated": {time.Hour, terminate, domain.Terminated, ": enough"},
		"timed out":  {8 * time.Second, awaitEnd, domain.TimedOut, "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, strings.ReplaceAll(name, " ", "-"))
			run := l.start(t, c.timeout)
			l.eventually(t, "both turns run", func(c *assert.CollectT) { require.Len(c, l.turns(c, run, domain.RayRunning), 2) })

			c.end(t, l.temporal, run)
			l.sweepTwice(t, run)

			require.Empty(t, l.turns(t, run, domain.RayRunning))
			l.eventually(t, "the model's calls are over", func(c *assert.CollectT) { require.NotContains(c, l.calls(c), "open") })
			outbox := l.temporal.GetWorkflow(t.Context(), run.GetID()+"/outbox/"+run.GetRunID()+"/outside", "")
			require.NoError(t, outbox.Get(t.Context(), nil))
			failed := l.failed(t, run)
			require.Len(t, failed, 1, "though two looked")
			require.Equal(t, run.GetID()+"/"+run.GetRunID()+"/outside-failed", failed[0].ID)
			require.Equal(t, c.kind, failed[0].Data.ErrorType)
			require.Equal(t, l.task, failed[0].Data.TaskID)
			require.Contains(t, failed[0].Data.Message, c.says)

			require.Len(t, l.turns(t, run, domain.RayCancelled), 2)
			l.sweepTwice(t, run)
			require.Empty(t, l.turns(t, run, domain.RayCancelled), "their places are free")
		})
	}
}

func terminate(t *testing.T, c client.Client, run client.WorkflowRun) {
	t.Helper()
	require.NoError(t, c.TerminateWorkflow(t.Context(), run.GetID(), run.GetRunID(), "enough"))
}

func awaitEnd(t *testing.T, _ client.Client, run client.WorkflowRun) {
	t.Helper()
	require.Error(t, run.Get(t.Context(), nil))
}

// live is a worker without its process, on a task queue of its own.
type live struct {
	*adapters

	task, queue, model string
	modelURL           string
	events             jetstream.JetStream
}

func newLive(t *testing.T, name string) *live {
	t.Helper()
	if os.Getenv("DELIBERATION_RAY_CLUSTERS") == "" {
		t.Skip("no stack; run it with `make integration`")
	}
	task := fmt.Sprintf("leftovers-%s-%d", name, time.Now().UnixNano())
	configuration, _, err := readConfig(append(os.Environ(), "DELIBERATION_TASK_QUEUE="+task))
	require.NoError(t, err)
	options, err := temporalOptions(os.Environ())
	require.NoError(t, err)
	quiet := slog.New(slog.DiscardHandler)
	options.Logger = log.NewStructuredLogger(quiet)
	temporal, err := client.Dial(options)
	require.NoError(t, err)
	t.Cleanup(temporal.Close)
	with, err := connect(t.Context(), configuration, temporal, options.Namespace, quiet)
	require.NoError(t, err)
	t.Cleanup(with.close)
	workers := newWorkers(temporal, configuration, with.environment(t.Context(), configuration, options.Namespace, quiet), with.dependencies(), &health{})
	require.NoError(t, workers.start())
	t.Cleanup(workers.stop)
	l := &live{adapters: with, task: task, queue: task, model: task, modelURL: os.Getenv("DELIBERATION_VLLM_URL")}
	connection, err := nats.Connect(configuration.NATS.URL)
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	l.events, err = jetstream.New(connection)
	require.NoError(t, err)
	l.script(t, `{"steps":[{"hang":true}]}`)
	return l
}

func (l *live) start(t *testing.T, timeout time.Duration) client.WorkflowRun {
	t.Helper()
	request := fakes.Council(2)
	request.TaskID, request.VLLMURL, request.VLLMModel = l.task, l.modelURL, l.model
	run, err := l.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: l.task, TaskQueue: l.queue, WorkflowRunTimeout: timeout,
	}, contract.DeliberationName, request)
	require.NoError(t, err)
	return run
}

// sweepTwice looks for left-over work as two workers do at the same time, without waiting until it is old.
func (l *live) sweepTwice(t *testing.T, run client.WorkflowRun) {
	t.Helper()
	var both sync.WaitGroup
	for range 2 {
		sweeper := l.sweeper(l.queue, slog.New(slog.DiscardHandler))
		sweeper.MinAge = 0
		sweeper.Clusters = map[string]sweep.Cluster{"local": only{sweeper.Clusters["local"], run.GetID()}}
		both.Go(func() { assert.NoError(t, sweeper.Sweep(t.Context(), "local")) })
	}
	both.Wait()
}

// only leaves the work of other tests alone.
type only struct {
	sweep.Cluster

	deliberation string
}

func (o only) Turns(ctx context.Context, owner string) (ray.Inventory, error) {
	held, err := o.Cluster.Turns(ctx, owner)
	held.Turns = slices.DeleteFunc(held.Turns, func(turn ray.HeldTurn) bool { return turn.Deliberation != o.deliberation })
	return held, err
}

func (l *live) turns(t require.TestingT, run client.WorkflowRun, state domain.RayState) []ray.HeldTurn {
	held, err := only{l.rays["local"], run.GetID()}.Turns(context.Background(), l.owner)
	require.NoError(t, err)
	return slices.DeleteFunc(held.Turns, func(turn ray.HeldTurn) bool { return turn.State != state })
}

// script makes the model behave.
func (l *live) script(t *testing.T, steps string) {
	t.Helper()
	l.ask(t, http.MethodPut, "/control/script", steps, nil)
}

// calls are the outcomes of those that the model got.
func (l *live) calls(t require.TestingT) []string {
	var answer struct {
		Calls []struct {
			Outcome string `json:"outcome"`
		} `json:"calls"`
	}
	l.ask(t, http.MethodGet, "/control/calls", "", &answer)
	outcomes := []string{}
	for _, call := range answer.Calls {
		outcomes = append(outcomes, call.Outcome)
	}
	return outcomes
}

func (l *live) ask(t require.TestingT, method, path, body string, into any) {
	request, err := http.NewRequestWithContext(context.Background(), method,
		l.modelURL+path+"?model="+url.QueryEscape(l.model), bytes.NewBufferString(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Less(t, response.StatusCode, 300)
	if into != nil {
		require.NoError(t, json.NewDecoder(response.Body).Decode(into))
	}
}

// announced is a stored event.
type announced struct {
	ID   string              `json:"id"`
	Data contract.EndedEvent `json:"data"`
}

func (l *live) failed(t *testing.T, run client.WorkflowRun) []announced {
	t.Helper()
	consumer, err := l.events.OrderedConsumer(t.Context(), "DELIBERATION_EVENTS", jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"deliberation.events." + run.GetID() + ".failed"},
	})
	require.NoError(t, err)
	batch, err := consumer.FetchNoWait(10)
	require.NoError(t, err)
	stored := []announced{}
	for message := range batch.Messages() {
		var event announced
		require.NoError(t, json.Unmarshal(message.Data(), &event))
		stored = append(stored, event)
	}
	return stored
}

func (l *live) eventually(t *testing.T, what string, holds func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, holds, patience, 50*time.Millisecond, what)
}
