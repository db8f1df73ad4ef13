//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// space is a namespace for one test, since statistics count a whole namespace. It has no search attributes.
type space struct {
	client.Client

	name string
}

func newSpace(t *testing.T, name string) space {
	t.Helper()
	s := space{name: fmt.Sprintf("e2e-%s-%d", name, time.Now().UnixNano())} // an earlier run of the tests had another name
	newNamespace(t, s.name)
	var err error
	s.Client, err = stack.Dial(s.name)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// standInForRay is a Ray app in memory. Its models named hangs and rejects do so; any other one answers.
func standInForRay(t *testing.T) *raytest.App {
	t.Helper()
	app := raytest.NewApp(t)
	app.Answer("rejects", raytest.Failure(domain.ModelRejected, "no such model"))
	app.Answer("hangs", raytest.Hanging())
	return app
}

// worker returns the settings of a worker in this namespace, without events.
func (s space) worker(app *raytest.App, settings ...string) []string {
	return append(settings, "TEMPORAL_NAMESPACE="+s.name, "NATS_URL=",
		"DELIBERATION_RAY_CLUSTERS=local="+app.URL, "DELIBERATION_RAY_TOKEN="+app.Token)
}

// begin starts a deliberation of one agent.
func (s space) begin(t *testing.T, taskQueue, model string) client.WorkflowRun {
	t.Helper()
	id := model + "-" + s.name
	run, err := s.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: taskQueue},
		contract.DeliberationName, requestFor(id, model))
	require.NoError(t, err)
	return run
}

func requestFor(task, model string) contract.Request {
	return contract.Request{
		TaskID: task, TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: contract.Constraints{StoryID: "S-7", PlanID: "P-3"},
		Agents:      stack.Agents(model), VLLMURL: "http://model:8000", VLLMModel: "canned",
	}
}

// count starts the statistics, as a worker does.
func (s space) count(t *testing.T, taskQueue string, from contract.StatsState) {
	t.Helper()
	_, err := s.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: contract.StatsID, TaskQueue: taskQueue},
		contract.DeliberationStatsName, from)
	require.NoError(t, err)
}

// refresh makes the statistics count now, and returns them.
func (s space) refresh(t *testing.T) (stats contract.Stats) {
	t.Helper()
	handle, err := s.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
		WorkflowID: contract.StatsID, UpdateName: contract.UpdateRefresh, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	require.NoError(t, err)
	require.NoError(t, handle.Get(t.Context(), &stats))
	return stats
}

// stats returns the statistics that the starter shows.
func (s space) stats(t require.TestingT, flags ...string) (stats contract.Stats) {
	shown := stack.StarterWith(t, []string{"TEMPORAL_NAMESPACE=" + s.name}, append([]string{"stats", "--json"}, flags...)...)
	require.Zero(t, shown.Code, shown.Stderr)
	require.NoError(t, json.Unmarshal([]byte(shown.Stdout), &stats))
	return stats
}

// settles waits until visibility has this many deliberations, and this many of them open. It asks seldom: the
// statistics need most of the requests that a namespace may send.
func (s space) settles(t *testing.T, all, open int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, int64(all), s.visible(c, ""))
		require.Equal(c, int64(open), s.visible(c, " AND ExecutionStatus='Running'"))
	}, 5*time.Minute, time.Second, "visibility knows")
}

func (s space) visible(t require.TestingT, those string) int64 {
	seen, err := s.CountWorkflow(context.Background(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowType='" + contract.DeliberationName + "'" + those,
	})
	require.NoError(t, err)
	return seen.GetCount()
}
