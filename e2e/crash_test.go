//go:build integration

package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

func TestAKilledWorkerCostsNoSecondCall(t *testing.T) {
	queue := queueOf(t)
	first := startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, slow(20))
	run := begin(t, queue, requestOf(t, agents(model, model, model)))
	running(t, model, 3)
	waitedFor(t, run, 3)

	first.kill(t)
	startWorker(t, queue)

	got := result(t, run)
	require.Equal(t, 3, got.CompletedAgents)
	require.Len(t, calls(t, model), 3, "the model was called once per agent")
	requireTakenOver(t, run, 3)
}

func TestAWorkerThatIsToldToStopHandsItsWaitsOver(t *testing.T) {
	queue := queueOf(t)
	first := startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, slow(20))
	run := begin(t, queue, requestOf(t, agents(model, model)))
	running(t, model, 2)
	waitedFor(t, run, 2)
	startWorker(t, queue)

	told := time.Now()
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, first.cmd.Wait())
	require.Less(t, time.Since(told), 5*time.Second)

	got := result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Len(t, calls(t, model), 2)
	requireTakenOver(t, run, 2)
}

// requireTakenOver checks that another worker went on with each of the waits.
func requireTakenOver(t *testing.T, run client.WorkflowRun, waits int) {
	t.Helper()
	ended := attempts(t, run, workflows.AwaitTurn.Name())
	require.Len(t, ended, waits)
	require.NotContains(t, ended, 1)
}

func TestAKilledRunnerCostsOneMoreCallPerLostTurn(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, hangsFirst(3, answers("0.5"))...)
	run := begin(t, queue, requestOf(t, agents(model, model, model)))
	running(t, model, 3)
	killRunnerOf(t, run)

	got := result(t, run)
	require.Equal(t, 3, got.CompletedAgents)
	require.Equal(t, 2, got.BestResult.Attempts)
	require.Len(t, calls(t, model), 6)
}

func TestALargeCouncilSurvivesItsRunner(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "slow")
	council := slices.Repeat([]string{model}, 64)
	script(t, model, hangsFirst(len(council), answers("0.5"))...)
	request := requestOf(t, agents(council...))
	request.TaskDescription = strings.Repeat("x", domain.MaxDescription)
	run := begin(t, queue, request)
	running(t, model, len(council))
	killRunnerOf(t, run)

	got := result(t, run)
	require.Equal(t, len(council), got.CompletedAgents)
	require.Len(t, calls(t, model), 2*len(council))
	described, err := temporalClient.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
	require.NoError(t, err)
	require.Less(t, described.GetWorkflowExecutionInfo().GetHistorySizeBytes(), int64(4<<20), "64 retries don't repeat the texts")
}

func TestALostAnswerToASubmitCostsNoSecondCall(t *testing.T) {
	queue := queueOf(t)
	proxy, url := proxyToRay(t)
	startWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=local="+url)
	model := modelOf(t, "slow")
	script(t, model, slow(10))
	// No byte of an answer comes through: the app does the work, the worker doesn't learn of it.
	_, err := proxy.Toxics.AddToxicJson(strings.NewReader(`{"name":"deaf","type":"limit_data","stream":"downstream","attributes":{"bytes":0}}`))
	require.NoError(t, err)

	run := begin(t, queue, requestOf(t, agents(model, model)))
	running(t, model, 2)
	require.NoError(t, proxy.Toxics.RemoveToxic(t.Context(), "deaf"))

	got := result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Len(t, calls(t, model), 2)
}

func TestRayAwayAtTheStart(t *testing.T) {
	queue := queueOf(t)
	proxy, url := proxyToRay(t)
	proxy.Stop()
	startWorker(t, queue, "DELIBERATION_RAY_CLUSTERS=local="+url)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))

	run := begin(t, queue, requestOf(t, agents(model)))

	eventually(t, "it says that it is queued", func(c *assert.CollectT) {
		s := status(c, run)
		require.Equal(c, "queued", s.Phase)
		require.Equal(c, domain.StatusRunning, s.Status)
		require.Equal(c, "local", s.WaitingFor)
	})
	eventually(t, "the starter says why", func(c *assert.CollectT) {
		requireAll(c, starter(c, "status", run.GetID()).stdout, "queued", "local", "refused")
	})
	require.NoError(t, proxy.Start())
	require.Equal(t, 1, result(t, run).CompletedAgents)
	require.Len(t, calls(t, model), 1)
}

func TestNATSStoppedDelaysNothingButTheEvents(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "good")
	script(t, model, answers("0.5"))
	control(t, "stop", "nats")
	restarted := false
	t.Cleanup(func() {
		if !restarted {
			control(t, "start", "nats")
		}
	})

	run := begin(t, queue, requestOf(t, agents(model, model)))
	require.Equal(t, 2, result(t, run).CompletedAgents, "the result waits for no event")

	control(t, "start", "nats")
	restarted = true
	require.Equal(t, []string{"started", "agent_completed", "agent_completed", "completed"}, kinds(events(t, run, 4)))
}

// killRunnerOf kills the runner that holds the run's turns.
func killRunnerOf(t *testing.T, run client.WorkflowRun) {
	t.Helper()
	turns := turnsOnRay(t, run.GetID())
	require.NotEmpty(t, turns)
	all := runners(t)
	ours := slices.IndexFunc(all, func(one runner) bool { return one.Name == turns[0].Runner })
	require.GreaterOrEqual(t, ours, 0, "no runner %s", turns[0].Runner)
	require.NoError(t, syscall.Kill(all[ours].PID, syscall.SIGKILL))
}

// proxyToRay is a TCP proxy between the worker and the Ray app, and the app's URL behind it.
func proxyToRay(t *testing.T) (proxy *toxiproxy.Proxy, url string) {
	t.Helper()
	proxy, listen := proxyTo(t, hostOf(t, stack.RayAppURL))
	return proxy, "http://" + listen + "/deliberation"
}

// proxyTo is a TCP proxy in front of an address, and its own address.
func proxyTo(t *testing.T, address string) (proxy *toxiproxy.Proxy, listen string) {
	t.Helper()
	listen = freeAddress(t)
	log := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), log)
	proxy = toxiproxy.NewProxy(server, "proxy", listen, address)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy, listen
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	return request.URL.Host
}
