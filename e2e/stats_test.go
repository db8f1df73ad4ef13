//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// This test runs in a namespace of its own, since statistics count a whole namespace.
func TestStatisticsCountEveryEnding(t *testing.T) {
	namespace := inNamespace(t, "stats")
	queue := stack.Queue(t)
	stack.StartWorker(t, queue, "TEMPORAL_NAMESPACE="+namespace)
	good, refused, endless := stack.Model(t, "good"), stack.Model(t, "refused"), stack.Model(t, "hangs")
	stack.Script(t, good, stack.Answers("0.5"))
	stack.Script(t, refused, stack.Step{"status": 404})
	stack.Script(t, endless, stack.Hangs())

	for range 3 {
		stack.Result(t, stack.Begin(t, queue, stack.Request(t, stack.Agents(good))))
	}
	failure(t, stack.Begin(t, queue, stack.Request(t, stack.Agents(refused))))
	cancelled := stack.Begin(t, queue, stack.Request(t, stack.Agents(endless)))
	active := stack.Begin(t, queue, stack.Request(t, stack.Agents(endless)))
	stack.AwaitOpenCalls(t, endless, 2)
	require.NoError(t, stack.Temporal.CancelWorkflow(t.Context(), cancelled.GetID(), cancelled.GetRunID()))
	require.Error(t, cancelled.Get(t.Context(), nil))

	var stats contract.Stats
	stack.Eventually(t, "the counts are right once visibility has them", func(c *assert.CollectT) {
		shown := stack.StarterWith(c, []string{"TEMPORAL_NAMESPACE=" + namespace}, "stats", "--refresh", "--json")
		require.Zero(c, shown.Code, shown.Stderr)
		require.NoError(c, json.Unmarshal([]byte(shown.Stdout), &stats))
		require.Equal(c, []int64{6, 3, 1, 1, 1}, []int64{stats.Total, stats.Completed, stats.Failed, stats.Cancelled, stats.Active})
	})
	require.Positive(t, stats.AverageMS)

	jobs := stack.StarterWith(t, []string{"TEMPORAL_NAMESPACE=" + namespace}, "jobs", "--json")
	require.Zero(t, jobs.Code, jobs.Stderr)
	var listed contract.ActiveJobs
	require.NoError(t, json.Unmarshal([]byte(jobs.Stdout), &listed))
	require.Len(t, listed.Jobs, 1)
	require.Equal(t, active.GetID(), listed.Jobs[0].SubmissionID)
	require.Equal(t, "DEV", listed.Jobs[0].Role)
}

// inNamespace makes a namespace and lets the test's deliberations run in it.
func inNamespace(t *testing.T, name string) string {
	t.Helper()
	name = fmt.Sprintf("e2e-%s-%d", name, time.Now().UnixNano()) // an earlier run of the tests had another name
	newNamespace(t, name)
	own, err := stack.Dial(name)
	require.NoError(t, err)
	stack.UseTemporal(t, own)
	return name
}

func newNamespace(t *testing.T, name string) {
	t.Helper()
	admin, err := client.NewNamespaceClient(client.Options{HostPort: stack.At.TemporalAddress, Logger: fakes.SilentLogger()})
	require.NoError(t, err)
	defer admin.Close()
	err = admin.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	stack.Eventually(t, "the namespace is known", func(c *assert.CollectT) {
		_, err := admin.Describe(t.Context(), name)
		require.NoError(c, err)
	})
}
