//go:build integration

package stack

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// Agents makes a council: agent-1 asks the first model, agent-2 the second one, and so on.
func Agents(models ...string) []contract.Agent {
	council := make([]contract.Agent, 0, len(models))
	for i, model := range models {
		council = append(council, contract.Agent{AgentID: fmt.Sprintf("agent-%d", i+1), Role: "DEV", Model: model})
	}
	return council
}

// Request makes a request for a council, with a task id of its own.
func Request(t *testing.T, council []contract.Agent) contract.Request {
	t.Helper()
	request := fakes.Council(0)
	request.TaskID, request.Constraints.TimeoutSeconds = Task(t), new(180)
	request.Agents, request.VLLMURL, request.VLLMModel = council, At.ModelURL, "canned/stand-in"
	return request
}

// Model returns the name of a model for one test, which scripts it and counts its calls. No earlier run of
// the test used the name.
func Model(t *testing.T, name string) string {
	t.Helper()
	return Task(t) + "/" + name
}

// Task returns a task id that no earlier run of the test used.
func Task(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s-%d", Queue(t), time.Now().UnixNano())
}

// Queue returns the name of a task queue for one test.
func Queue(t *testing.T) string {
	t.Helper()
	return "e2e-" + strings.NewReplacer("/", "-", " ", "-").Replace(strings.ToLower(t.Name()))
}

// Begin starts a deliberation as any client does: by name, with an id of its own choice.
func Begin(t *testing.T, taskQueue string, request any) client.WorkflowRun {
	t.Helper()
	run, err := Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: Task(t), TaskQueue: taskQueue,
	}, contract.DeliberationName, request)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = Temporal.TerminateWorkflow(context.Background(), run.GetID(), run.GetRunID(), "the test is over")
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("history of %s:\n%s", run.GetID(), strings.Join(EventTypes(t, run), "\n"))
		}
	})
	return run
}

// Result waits until the deliberation has ended, and returns its result.
func Result(t *testing.T, run client.WorkflowRun) contract.Result {
	t.Helper()
	var result contract.Result
	require.NoError(t, run.Get(t.Context(), &result))
	return result
}

// Status asks a deliberation for its status.
func Status(t require.TestingT, run client.WorkflowRun) contract.Status {
	var status contract.Status
	Query(t, run, contract.QueryStatus, &status)
	return status
}

// Query asks a deliberation.
func Query(t require.TestingT, run client.WorkflowRun, name string, into any) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := Temporal.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), name)
	require.NoError(t, err)
	require.NoError(t, answer.Get(into))
}

// AwaitPolls waits until workers poll exactly this many turns of a run.
func AwaitPolls(t *testing.T, run client.WorkflowRun, turns int) {
	t.Helper()
	Eventually(t, "workers poll the turns", func(c *assert.CollectT) {
		described, err := Temporal.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		require.NoError(c, err)
		waits := 0
		for _, pending := range described.GetPendingActivities() {
			if pending.GetActivityType().GetName() == contract.ActivityAwaitTurn && pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
				waits++
			}
		}
		require.Equal(c, turns, waits)
	})
}
