package statistics

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/internal/periodic"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// keepEvery is how often a worker checks that the statistics run.
	keepEvery   = 5 * time.Minute
	startWithin = 30 * time.Second
	retryAfter  = time.Minute // at most
)

// Starter is what a [Keeper] needs of a Temporal client.
type Starter interface {
	contract.History
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, name any, args ...any) (client.WorkflowRun, error)
	DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Keeper makes sure that the one DeliberationStats of the namespace runs.
type Keeper struct {
	Temporal  Starter
	TaskQueue string
	Log       *slog.Logger
}

// Keep checks again and again until the context ends. Deliberations run without statistics too.
func (k Keeper) Keep(ctx context.Context) { periodic.Every(ctx, keepEvery, k.patiently) }

func (k Keeper) patiently(ctx context.Context) {
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = retryAfter
	_, _ = backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, k.ensure(ctx) }, // fails only when ctx ends
		backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, again time.Duration) {
			k.Log.Warn("statistics not started; deliberations run without", "error", err, "again_in", again.String())
		}))
}

// ensure starts the statistics if they don't run. It continues from the last count of the run that ended, which is
// known while Temporal keeps that run's history.
func (k Keeper) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	described, err := k.Temporal.DescribeWorkflowExecution(ctx, contract.StatsID, "")
	if missing(err) {
		return k.start(ctx, contract.StatsState{})
	}
	if err != nil {
		return err
	}
	last := described.GetWorkflowExecutionInfo()
	if last.GetCloseTime() == nil {
		return nil
	}
	state, err := runs.LastStats(ctx, k.Temporal, workflow.Execution{ID: contract.StatsID, RunID: last.GetExecution().GetRunId()})
	if err != nil && !missing(err) {
		return err
	}
	return k.start(ctx, state)
}

func missing(err error) bool {
	_, missing := errors.AsType[*serviceerror.NotFound](err)
	return missing
}

func (k Keeper) start(ctx context.Context, state contract.StatsState) error {
	_, err := k.Temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.StatsID, TaskQueue: k.TaskQueue, StaticSummary: "statistics of all deliberations",
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, contract.DeliberationStatsName, state)
	return err
}
