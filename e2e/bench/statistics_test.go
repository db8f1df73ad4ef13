//go:build integration

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

const few, many = 100, 10_000

// measureStatistics times the queries `stats` and `active_jobs` after 100 runs and after 10,000 in a namespace.
// The runs time out, since no worker polls their queue: only their number matters.
func measureStatistics(t *testing.T, r *report) {
	t.Helper()
	name := stack.Task(t)
	_, err := stack.Temporal.WorkflowService().RegisterNamespace(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour),
	})
	require.NoError(t, err)
	var own client.Client
	require.Eventually(t, func() bool { // a namespace is known a moment later
		own, err = stack.Dial(name)
		if err != nil {
			return false
		}
		_, err = own.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: name})
		return err == nil
	}, stack.Patience, time.Second)
	t.Cleanup(own.Close)
	worker(t, "TEMPORAL_NAMESPACE="+name, "NATS_URL=")
	s := statistics{Client: own, queue: "nobody's"}
	s.grow(t, few)
	stats, jobs := s.times(t, contract.QueryStats), s.times(t, contract.QueryActiveJobs)
	s.grow(t, many)
	manyStats, manyJobs := s.times(t, contract.QueryStats), s.times(t, contract.QueryActiveJobs)
	for _, l := range []struct {
		what       string
		base, ours series
	}{{"stats", stats, manyStats}, {"active_jobs", jobs, manyJobs}} {
		ratio := series{l.ours.median() / l.base.median()}
		r.add(line{
			second: true, what: "the query `" + l.what + "` with 10,000 runs, ms", against: "with 100", base: l.base, ours: l.ours, ratio: ratio,
			target: "≤ 1.5 ×", met: ratio.median() <= 1.5, short: shortStatistics,
		})
	}
}

type statistics struct {
	client.Client

	queue string
	size  int
}

// grow starts runs until their number is the size, and waits until the statistics have counted their ends.
func (s *statistics) grow(t *testing.T, size int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(32)
	for ; s.size < size; s.size++ {
		id := fmt.Sprintf("run-%d", s.size)
		group.Go(func() error {
			_, err := s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
				ID: id, TaskQueue: s.queue, WorkflowExecutionTimeout: time.Second,
			}, contract.DeliberationName)
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Eventually(t, func() bool {
		update, err := s.UpdateWorkflow(t.Context(), client.UpdateWorkflowOptions{
			WorkflowID: contract.StatsID, UpdateName: contract.UpdateRefresh, WaitForStage: client.WorkflowUpdateStageCompleted,
		})
		var stats contract.Stats
		return err == nil && update.Get(t.Context(), &stats) == nil && stats.TimedOut == int64(size)
	}, 5*time.Minute, time.Second)
}

func (s *statistics) times(t *testing.T, query string) (took series) {
	t.Helper()
	ask := func(ctx context.Context) time.Duration {
		began := time.Now()
		answer, err := s.QueryWorkflow(ctx, contract.StatsID, "", query)
		require.NoError(t, err)
		require.True(t, answer.HasValue())
		return time.Since(began)
	}
	ask(t.Context())
	for range *repetitions {
		var each series
		for range 20 {
			each = append(each, milliseconds(ask(t.Context())))
		}
		took = append(took, each.median())
	}
	return took
}
