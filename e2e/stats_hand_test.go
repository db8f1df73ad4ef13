//go:build integration

package e2e

import (
	"errors"
	"flag"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

var deliberations = flag.Int("deliberations", 200, "how many are counted by hand, a multiple of 100; make statistics takes 2000")

// This test counts while the deliberations run, and then compares with a count by hand: it describes the last run
// of every id, so a run that was reset doesn't count.
func TestStatisticsAgreeWithACountByHand(t *testing.T) {
	c := newCrowd(t)
	c.count(t, c.queue, contract.StatsState{})

	c.gather(t, *deliberations)
	percent := *deliberations / 100
	c.settles(t, *deliberations+2*percent, 8*percent)
	close(c.gate)
	c.settles(t, *deliberations+2*percent, percent)
	byHand := c.countByHand(t)

	require.Equal(t, int64(*deliberations), byHand.Total)
	refreshed := c.stats(t, "--refresh")
	agree(t, byHand, refreshed)
	agree(t, byHand, c.stats(t))
	require.False(t, c.stats(t).AsOf.Before(refreshed.AsOf))
	agree(t, byHand, c.stats(t, "--refresh")) // runs that are read again are not counted again
}

// agree compares everything but when it was counted.
func agree(t *testing.T, byHand, stats contract.Stats) {
	t.Helper()
	require.InDelta(t, byHand.AverageMS, stats.AverageMS, 0.01)
	require.InDelta(t, byHand.P50MS, stats.P50MS, 1+0.01*byHand.P50MS) // whole milliseconds
	require.InDelta(t, byHand.P95MS, stats.P95MS, 1+0.01*byHand.P95MS)
	stats.AverageMS, stats.P50MS, stats.P95MS = byHand.AverageMS, byHand.P50MS, byHand.P95MS
	stats.UptimeSeconds, stats.AsOf = 0, time.Time{}
	require.Equal(t, byHand, stats)
}

// countByHand also checks that each deliberation ended as its course says.
func (c *crowd) countByHand(t *testing.T) (stats contract.Stats) {
	t.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var paid contract.PhaseUsage
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for _, member := range c.members {
		group.Go(func() error {
			described, err := c.DescribeWorkflowExecution(ctx, member.id, "")
			if err != nil {
				return err
			}
			run := described.GetWorkflowExecutionInfo()
			completed := run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			var result contract.Result
			if run.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
				err = c.GetWorkflow(ctx, member.id, run.GetExecution().GetRunId()).Get(ctx, &result)
			}
			if failed, ours := errors.AsType[*temporal.ApplicationError](err); ours {
				var details contract.FailureDetails
				_ = failed.Details(&details) // a refused request has none
				result.Usage = details.Usage
			}
			if run.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED { // its result says nothing of it
				result.Usage = contract.TotalUsage{PromptTokens: 20, CompletionTokens: 3, LLMCalls: 1} // of a call that the stand-in stops
			}
			mu.Lock()
			defer mu.Unlock()
			require.Equal(t, member.status, run.GetStatus(), member.id)
			add(&stats, run.GetStatus())
			paid.PromptTokens += result.Usage.PromptTokens
			paid.CompletionTokens += result.Usage.CompletionTokens
			paid.LLMCalls += result.Usage.LLMCalls
			if !completed {
				return nil
			}
			took = append(took, time.Duration(result.ExecutionTimeMS)*time.Millisecond)
			return err
		})
	}
	require.NoError(t, group.Wait())
	var sum time.Duration
	for _, each := range took {
		sum += each
	}
	stats.UsageByPhase = map[domain.PhaseKind]contract.PhaseUsage{domain.Propose: paid}
	slices.Sort(took)
	ranked := func(share float64) float64 { return milliseconds(took[int(math.Ceil(share*float64(len(took))))-1]) }
	stats.AverageMS, stats.P50MS, stats.P95MS = milliseconds(sum)/float64(len(took)), ranked(0.5), ranked(0.95)
	return stats
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func add(stats *contract.Stats, status enumspb.WorkflowExecutionStatus) {
	stats.Total++
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		stats.Active++
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		stats.Completed++
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		stats.Cancelled++
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		stats.Failed++
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		stats.Failed, stats.Terminated = stats.Failed+1, stats.Terminated+1
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		stats.Failed, stats.TimedOut = stats.Failed+1, stats.TimedOut+1
	default: // there is no other end
	}
}
