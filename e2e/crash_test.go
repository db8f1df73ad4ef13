//go:build integration

package e2e

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
)

// slow is a step whose answer takes long enough to kill something meanwhile.
func slow(seconds float64) step {
	return step{"delay_seconds": seconds, "text": `{"proposal":"do it","reasoning":"because","score":0.5}`}
}

func TestAKilledWorkerCostsNoSecondCall(t *testing.T) {
	queue := queueOf(t)
	first := startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, slow(8))
	run := begin(t, queue, requestOf(t, agents(model, model, model)))
	running(t, model, 3)
	eventually(t, 20*time.Second, "the turns are in history", func() bool { return status(t, run).Phase == "propose" })

	first.kill(t)
	startWorker(t, queue)

	got := result(t, run)
	require.Equal(t, 3, got.CompletedAgents)
	require.Len(t, calls(t, model), 3, "the model was called once per agent")
}

func TestAWorkerThatIsToldToStopHandsItsWaitsOver(t *testing.T) {
	queue := queueOf(t)
	first := startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, slow(8))
	run := begin(t, queue, requestOf(t, agents(model, model)))
	running(t, model, 2)
	eventually(t, 20*time.Second, "the turns are in history", func() bool { return status(t, run).Phase == "propose" })
	startWorker(t, queue)

	told := time.Now()
	require.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, first.cmd.Wait())
	require.Less(t, time.Since(told), 5*time.Second)

	got := result(t, run)
	require.Equal(t, 2, got.CompletedAgents)
	require.Len(t, calls(t, model), 2)
}

func TestAKilledRunnerCostsOneMoreCallPerLostTurn(t *testing.T) {
	queue := queueOf(t)
	startWorker(t, queue)
	model := modelOf(t, "slow")
	script(t, model, slow(5))
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
	script(t, model, slow(8))
	council := make([]string, 64)
	for i := range council {
		council[i] = model
	}
	request := requestOf(t, agents(council...))
	request.TaskDescription = strings.Repeat("x", domain.MaxDescription)
	run := begin(t, queue, request)
	running(t, model, len(council))
	killRunnerOf(t, run)
	script(t, model, answers("0.5"))

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
	script(t, model, slow(4))
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

	eventually(t, 20*time.Second, "it says that it is queued", func() bool {
		s := status(t, run)
		return s.Phase == "queued" && s.Status == domain.StatusRunning && s.WaitingFor == "local"
	})
	eventually(t, 20*time.Second, "the starter says why", func() bool {
		return containsAll(starter(t, "status", run.GetID()).stdout, "queued", "local", "refused")
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

	begun := time.Now()
	run := begin(t, queue, requestOf(t, agents(model, model)))
	require.Equal(t, 2, result(t, run).CompletedAgents)
	require.Less(t, time.Since(begun), 15*time.Second, "the result is on time")

	control(t, "start", "nats")
	restarted = true
	require.Equal(t, []string{"started", "agent_completed", "agent_completed", "completed"}, kinds(events(t, run, 4)))
}

// killRunnerOf kills the runner that holds the run's turns.
func killRunnerOf(t *testing.T, run client.WorkflowRun) {
	t.Helper()
	turns := turnsOnRay(t, run.GetID())
	require.NotEmpty(t, turns)
	for _, runner := range runners(t) {
		if runner.Name == turns[0].Runner {
			require.NoError(t, syscall.Kill(runner.PID, syscall.SIGKILL))
		}
	}
}

// proxyToRay is a TCP proxy between the worker and the Ray app, and the app's URL behind it.
func proxyToRay(t *testing.T) (proxy *toxiproxy.Proxy, url string) {
	t.Helper()
	listen := freeAddress(t)
	log := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), log)
	proxy = toxiproxy.NewProxy(server, "ray", listen, hostOf(t, stack.RayAppURL))
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy, "http://" + listen + "/deliberation"
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, http.NoBody)
	require.NoError(t, err)
	return request.URL.Host
}
