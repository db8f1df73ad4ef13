//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows"
)

// agents makes a council: agent i answers with models[i].
func agents(models ...string) []workflows.Agent {
	council := make([]workflows.Agent, 0, len(models))
	for i, model := range models {
		council = append(council, workflows.Agent{AgentID: fmt.Sprintf("agent-%d", i+1), Role: "DEV", Model: model})
	}
	return council
}

// requestOf is a request whose models are the test's own.
func requestOf(t *testing.T, council []workflows.Agent) workflows.Request {
	t.Helper()
	return workflows.Request{
		TaskID: taskOf(t), TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: workflows.Constraints{StoryID: "S-7", PlanID: "P-3", TimeoutSeconds: new(60)},
		Agents:      council, VLLMURL: stack.ModelURL, VLLMModel: "canned/stand-in",
	}
}

// thisRun sets the models of this run of the tests apart from those of an earlier one.
var thisRun = time.Now().Unix()

// modelOf names a model for the test, which scripts and counts it.
func modelOf(t *testing.T, name string) string {
	t.Helper()
	return fmt.Sprintf("%s-%d/%s", queueOf(t), thisRun, name)
}

// taskOf names a task that no earlier run of the test had.
func taskOf(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%s-%d", queueOf(t), time.Now().UnixNano())
}

// begin starts a deliberation as any client does: by name, with an id of its own choice.
func begin(t *testing.T, taskQueue string, request any) client.WorkflowRun {
	t.Helper()
	run, err := temporalClient.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: taskOf(t), TaskQueue: taskQueue,
	}, workflows.DeliberationName, request)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("history of %s:\n%s", run.GetID(), strings.Join(eventTypes(run), "\n"))
		}
		_ = temporalClient.TerminateWorkflow(context.Background(), run.GetID(), run.GetRunID(), "the test is over")
	})
	return run
}

// result waits for the deliberation's result.
func result(t *testing.T, run client.WorkflowRun) workflows.Result {
	t.Helper()
	var result workflows.Result
	require.NoError(t, run.Get(t.Context(), &result))
	return result
}

func status(t *testing.T, run client.WorkflowRun) workflows.Status {
	t.Helper()
	var status workflows.Status
	query(t, run, workflows.QueryStatus, &status)
	return status
}

func query(t *testing.T, run client.WorkflowRun, name string, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := temporalClient.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), name)
	require.NoError(t, err)
	require.NoError(t, answer.Get(into))
}

// history is all events of a run so far.
func history(run client.WorkflowRun) []*historypb.HistoryEvent {
	var events []*historypb.HistoryEvent
	iterator := temporalClient.GetWorkflowHistory(context.Background(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		if err != nil {
			break
		}
		events = append(events, event)
	}
	return events
}

func eventTypes(run client.WorkflowRun) []string {
	var types []string
	for _, event := range history(run) {
		line := fmt.Sprintf("%d %s", event.GetEventId(), event.GetEventType())
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
			line += " " + a.GetActivityType().GetName()
		}
		types = append(types, line)
	}
	return types
}

// scheduled counts the activities of a name that a run scheduled.
func scheduled(run client.WorkflowRun, activity string) int {
	count := 0
	for _, event := range history(run) {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			count++
		}
	}
	return count
}

// running waits until the model works on so many calls of the test.
func running(t *testing.T, model string, open int) {
	t.Helper()
	eventually(t, 30*time.Second, fmt.Sprintf("%d open calls of %s", open, model), func() bool { return openCalls(t, model) == open })
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
