//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// event is a stored CloudEvent.
type event struct {
	ID   string          `json:"id"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// events waits until a run has stored so many events, and returns all that it has stored.
func events(t *testing.T, run client.WorkflowRun, atLeast int) []event {
	t.Helper()
	connection, err := natsgo.Connect(stack.NATSURL, natsgo.Timeout(patience))
	require.NoError(t, err)
	defer connection.Close()
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	var stored []event
	eventually(t, "the run's events are stored", func(c *assert.CollectT) {
		stored = storedEvents(c, js, run)
		require.GreaterOrEqual(c, len(stored), atLeast, "%v", kinds(stored))
	})
	seen := map[string]bool{}
	for _, e := range stored {
		require.False(t, seen[e.ID], "event %s is stored twice", e.ID)
		seen[e.ID] = true
	}
	return stored
}

func storedEvents(t require.TestingT, js jetstream.JetStream, run client.WorkflowRun) []event {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "DELIBERATION_EVENTS", jetstream.OrderedConsumerConfig{
		FilterSubjects:    []string{"deliberation.events." + strings.ReplaceAll(run.GetID(), "/", "*") + ".>"},
		InactiveThreshold: 5 * time.Second, // a server has room for so many only
	})
	require.NoError(t, err)
	batch, err := consumer.FetchNoWait(100)
	require.NoError(t, err)
	var stored []event
	for message := range batch.Messages() {
		var e event
		require.NoError(t, json.Unmarshal(message.Data(), &e))
		if strings.HasPrefix(e.ID, run.GetID()+"/"+run.GetRunID()+"/") {
			stored = append(stored, e)
		}
	}
	return stored
}

func kinds(stored []event) []string {
	names := make([]string, 0, len(stored))
	for _, e := range stored {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(e.Type, "io.deliberation."), ".v1"))
	}
	return names
}

// turn is a turn that Ray knows of.
type turn struct {
	SubmissionID string `json:"submission_id"`
	Deliberation string `json:"deliberation"`
	Runner       string `json:"runner"`
	State        string `json:"state"`
}

type runner struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
	Kept int    `json:"kept"`
}

// unfinished tells that the turn still runs, or will.
func (t turn) unfinished() bool { return t.State == "queued" || t.State == "running" }

func askRay(t require.TestingT, path string, into any) {
	askApp(t, stack.RayAppURL, path, into)
}

// askApp asks the Ray app of one cluster.
func askApp(t require.TestingT, app, path string, into any) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, app+path, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+stack.RayToken)
	response, err := asking.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}

// turnsOnRay are the turns of a deliberation that Ray still knows.
func turnsOnRay(t require.TestingT, deliberation string) []turn {
	return slices.DeleteFunc(turnsOf(t, stack.RayAppURL), func(each turn) bool { return each.Deliberation != deliberation })
}

// turnsOf are all turns that one cluster still knows.
func turnsOf(t require.TestingT, app string) []turn {
	var answer struct {
		Turns   []turn   `json:"turns"`
		Unheard []string `json:"unheard"`
	}
	described, err := temporalClient.WorkflowService().DescribeNamespace(context.Background(),
		&workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	askApp(t, app, "/v1/turns?owner="+described.GetNamespaceInfo().GetId(), &answer)
	require.Empty(t, answer.Unheard, "runners that don't say what they hold")
	return answer.Turns
}

func runners(t require.TestingT) []runner {
	var answer struct {
		Runners []runner `json:"runners"`
	}
	askRay(t, "/v1/info", &answer)
	return answer.Runners
}
