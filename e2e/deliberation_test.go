//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// agents makes a council: agent i answers with models[i].
func agents(models ...string) []contract.Agent {
	council := make([]contract.Agent, 0, len(models))
	for i, model := range models {
		council = append(council, contract.Agent{AgentID: fmt.Sprintf("agent-%d", i+1), Role: "DEV", Model: model})
	}
	return council
}

// requestOf is a request whose models are the test's own.
func requestOf(t *testing.T, council []contract.Agent) contract.Request {
	t.Helper()
	return contract.Request{
		TaskID: taskOf(t), TaskDescription: "Add rate limiting to the login API", Role: "DEV",
		Constraints: contract.Constraints{StoryID: "S-7", PlanID: "P-3", TimeoutSeconds: new(180)},
		Agents:      council, VLLMURL: stack.ModelURL, VLLMModel: "canned/stand-in",
	}
}

// modelOf names a model for the test, which scripts and counts it: no earlier run of the test had it.
func modelOf(t *testing.T, name string) string {
	t.Helper()
	return taskOf(t) + "/" + name
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
	}, contract.DeliberationName, request)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = temporalClient.TerminateWorkflow(context.Background(), run.GetID(), run.GetRunID(), "the test is over")
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("history of %s:\n%s", run.GetID(), strings.Join(eventTypes(t, run), "\n"))
		}
	})
	return run
}

// result waits for the deliberation's result.
func result(t *testing.T, run client.WorkflowRun) contract.Result {
	t.Helper()
	var result contract.Result
	require.NoError(t, run.Get(t.Context(), &result))
	return result
}

func status(t require.TestingT, run client.WorkflowRun) contract.Status {
	var status contract.Status
	query(t, run, contract.QueryStatus, &status)
	return status
}

func query(t require.TestingT, run client.WorkflowRun, name string, into any) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	answer, err := temporalClient.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), name)
	require.NoError(t, err)
	require.NoError(t, answer.Get(into))
}

// history is all events of a run so far.
func history(t require.TestingT, run client.WorkflowRun) []*historypb.HistoryEvent {
	var events []*historypb.HistoryEvent
	iterator := temporalClient.GetWorkflowHistory(context.Background(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		require.NoError(t, err)
		events = append(events, event)
	}
	return events
}

func eventTypes(t require.TestingT, run client.WorkflowRun) []string {
	var types []string
	for _, event := range history(t, run) {
		line := fmt.Sprintf("%d %s", event.GetEventId(), event.GetEventType())
		if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
			line += " " + a.GetActivityType().GetName()
		}
		types = append(types, line)
	}
	return types
}

// scheduled counts the activities of a name that a run scheduled.
func scheduled(t require.TestingT, run client.WorkflowRun, activity string) int {
	count := 0
	for _, event := range history(t, run) {
		if event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == activity {
			count++
		}
	}
	return count
}

// attempts are those with which the activities of a name ended.
func attempts(t require.TestingT, run client.WorkflowRun, activity string) []int {
	names := map[int64]string{}
	var ended []int
	for _, event := range history(t, run) {
		names[event.GetEventId()] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		if started := event.GetActivityTaskStartedEventAttributes(); names[started.GetScheduledEventId()] == activity {
			ended = append(ended, int(started.GetAttempt()))
		}
	}
	return ended
}

// timeOf is the time of the first event of a type.
func timeOf(t *testing.T, run client.WorkflowRun, kind enumspb.EventType) time.Time {
	t.Helper()
	events := history(t, run)
	first := slices.IndexFunc(events, func(event *historypb.HistoryEvent) bool { return event.GetEventType() == kind })
	require.GreaterOrEqual(t, first, 0, "no %s", kind)
	return events[first].GetEventTime().AsTime()
}

// waitedFor waits until a worker waits for so many turns of a run.
func waitedFor(t *testing.T, run client.WorkflowRun, turns int) {
	t.Helper()
	eventually(t, "a worker waits for the turns", func(c *assert.CollectT) {
		described, err := temporalClient.DescribeWorkflowExecution(t.Context(), run.GetID(), run.GetRunID())
		require.NoError(c, err)
		waits := 0
		for _, pending := range described.GetPendingActivities() {
			if pending.GetActivityType().GetName() == workflows.AwaitTurn.Name() && pending.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED {
				waits++
			}
		}
		require.Equal(c, turns, waits)
	})
}

// running waits until the model works on so many calls of the test.
func running(t *testing.T, model string, open int) {
	t.Helper()
	eventually(t, "the model works on the calls", func(c *assert.CollectT) { require.Equal(c, open, openCalls(c, model)) })
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
