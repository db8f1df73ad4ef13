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

	"deliberation.io/deliberation/workflows/contract"
)

// TestStatisticsCountEveryEnding runs in a namespace of its own: the statistics are a namespace's.
func TestStatisticsCountEveryEnding(t *testing.T) {
	namespace := inNamespace(t, "stats")
	queue := queueOf(t)
	startWorker(t, queue, "TEMPORAL_NAMESPACE="+namespace)
	good, refused, endless := modelOf(t, "good"), modelOf(t, "refused"), modelOf(t, "hangs")
	script(t, good, answers("0.5"))
	script(t, refused, step{"status": 404})
	script(t, endless, hangs())

	for range 3 {
		result(t, begin(t, queue, requestOf(t, agents(good))))
	}
	failure(t, begin(t, queue, requestOf(t, agents(refused))))
	cancelled := begin(t, queue, requestOf(t, agents(endless)))
	active := begin(t, queue, requestOf(t, agents(endless)))
	running(t, endless, 2)
	require.NoError(t, temporalClient.CancelWorkflow(t.Context(), cancelled.GetID(), cancelled.GetRunID()))
	require.Error(t, cancelled.Get(t.Context(), nil))

	var stats contract.Stats
	eventually(t, "the counts are right once visibility has them", func(c *assert.CollectT) {
		shown := commandWith(c, []string{"TEMPORAL_NAMESPACE=" + namespace}, built+"/starter", "stats", "--refresh", "--json")
		require.Zero(c, shown.code, shown.stderr)
		require.NoError(c, json.Unmarshal([]byte(shown.stdout), &stats))
		require.Equal(c, []int64{6, 3, 1, 1, 1}, []int64{stats.Total, stats.Completed, stats.Failed, stats.Cancelled, stats.Active})
	})
	require.Positive(t, stats.AverageMS)

	jobs := commandWith(t, []string{"TEMPORAL_NAMESPACE=" + namespace}, built+"/starter", "jobs", "--json")
	require.Zero(t, jobs.code, jobs.stderr)
	var listed contract.ActiveJobs
	require.NoError(t, json.Unmarshal([]byte(jobs.stdout), &listed))
	require.Len(t, listed.Jobs, 1)
	require.Equal(t, active.GetID(), listed.Jobs[0].SubmissionID)
	require.Equal(t, "DEV", listed.Jobs[0].Role)
}

// inNamespace makes a namespace in which the test's deliberations run.
func inNamespace(t *testing.T, name string) string {
	t.Helper()
	name = fmt.Sprintf("e2e-%s-%d", name, time.Now().UnixNano()) // the database outlives the tests
	newNamespace(t, name)
	everywhere := temporalClient
	ours, err := client.Dial(client.Options{HostPort: stack.TemporalAddress, Namespace: name, Logger: quiet{}})
	require.NoError(t, err)
	temporalClient = ours
	t.Cleanup(func() {
		temporalClient = everywhere
		ours.Close()
	})
	return name
}

func newNamespace(t *testing.T, name string) {
	t.Helper()
	admin, err := client.NewNamespaceClient(client.Options{HostPort: stack.TemporalAddress, Logger: quiet{}})
	require.NoError(t, err)
	defer admin.Close()
	err = admin.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	eventually(t, "the namespace is known", func(c *assert.CollectT) {
		_, err := admin.Describe(t.Context(), name)
		require.NoError(c, err)
	})
}
