package main

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

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// statisticsCheck is how often it is looked whether somebody counts: a server remembers the pollers of
	// a queue for five minutes, so that one look at the start can't tell.
	statisticsCheck = 5 * time.Minute
	statisticsTry   = 30 * time.Second
	statisticsRetry = time.Minute // between tries at most
)

// statisticsClient is what is needed of Temporal to have the statistics counted.
type statisticsClient interface {
	contract.History
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, name any, args ...any) (client.WorkflowRun, error)
	DescribeWorkflowExecution(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// statistics makes sure that the one DeliberationStats of the namespace runs, where somebody runs it.
type statistics struct {
	client    statisticsClient
	taskQueue string
	log       *slog.Logger
}

// keep goes on until the context ends. Deliberations run without statistics too.
func (s statistics) keep(ctx context.Context) {
	for {
		pace := backoff.NewExponentialBackOff()
		pace.MaxInterval = statisticsRetry
		_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, s.ensure(ctx) },
			backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, again time.Duration) {
				s.log.Warn("statistics not started; deliberations run without", "error", err, "again_in", again.String())
			}))
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(statisticsCheck):
		}
	}
}

// ensure starts what doesn't run from what it had come to: while Temporal keeps its history, nothing that
// was counted is lost with a run that was ended.
func (s statistics) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statisticsTry)
	defer cancel()
	described, err := s.client.DescribeWorkflowExecution(ctx, contract.StatsID, "")
	if missing(err) {
		return s.start(ctx, contract.StatsState{})
	}
	if err != nil {
		return err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetCloseTime() == nil {
		return nil
	}
	last := workflow.Execution{ID: contract.StatsID, RunID: info.GetExecution().GetRunId()}
	state, err := runs.LastStats(ctx, s.client, last)
	if err != nil && !missing(err) {
		return err
	}
	return s.start(ctx, state)
}

func missing(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

func (s statistics) start(ctx context.Context, state contract.StatsState) error {
	_, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.StatsID, TaskQueue: s.taskQueue, StaticSummary: "statistics of all deliberations",
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, contract.DeliberationStatsName, state)
	return err
}
