package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/workflows/contract"
)

// batch is a batch that runs, with its results so far.
type batch struct {
	server    server
	taskQueue string
	out       *results
	begun     time.Time

	mu  sync.Mutex
	sum summary
}

// summary is the answer of batch.
type summary struct {
	Total     int    `json:"total"`
	Completed int    `json:"completed"`
	Failed    int    `json:"failed"`
	Attached  int    `json:"attached"` // deliberations that ran or had completed already
	Results   string `json:"results"`
}

// batchResult is one line of the results.
type batchResult struct {
	Line           int                       `json:"line"`
	TaskID         string                    `json:"task_id"`
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Attached       bool                      `json:"attached"`
	Result         *contract.Result          `json:"result"`
	ErrorType      string                    `json:"error_type,omitempty"`
	Message        string                    `json:"message,omitempty"`
	Failures       []contract.AgentFailure   `json:"failures,omitempty"`
	Usage          *contract.TotalUsage      `json:"usage,omitempty"` // if there is no result
}

// one starts a deliberation, or attaches to it, and waits for its end. An error ends the whole batch.
func (b *batch) one(ctx context.Context, line batchLine) (batchResult, error) {
	result := batchResult{
		Line: line.number, TaskID: line.taskID(), DeliberationID: contract.WorkflowID(line.taskID()), Status: domain.StatusFailed,
	}
	started, err := retried(ctx, func() (contract.Started, error) {
		return line.request.Start(ctx, b.server.Client, contract.StartOptions{TaskQueue: b.taskQueue})
	})
	if other, is := errors.AsType[*contract.DifferentRequestError](err); is {
		result.RunID, result.ErrorType, result.Message = other.RunID, differentRequest, other.Error()
		return result, nil
	}
	if err != nil {
		return result, fmt.Errorf("line %d: %w", line.number, err)
	}
	result.RunID, result.Attached = started.Run.GetRunID(), started.Attached
	end, err := retried(ctx, func() (runs.Ending, error) {
		return b.server.AwaitEnding(ctx, runs.Run{ID: result.DeliberationID, RunID: result.RunID})
	})
	if err != nil {
		return result, fmt.Errorf("line %d: %w", line.number, err)
	}
	if result.Status = end.Status; end.Status == domain.StatusCompleted {
		result.Result = &end.Result
		return result, nil
	}
	result.ErrorType, result.Message = end.ErrorType, end.Message
	result.Failures, result.Usage = end.Details.Failures, &end.Details.Usage
	return result, nil
}

// retryEvery is the pause while Temporal doesn't answer.
const retryEvery = 2 * time.Second

// retried tries again while Temporal is away or overloaded.
func retried[T any](ctx context.Context, try func() (T, error)) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		value, err := try()
		_, overloaded := errors.AsType[*serviceerror.ResourceExhausted](err)
		if err != nil && !runs.MayAnswerLater(err) && !overloaded {
			err = backoff.Permanent(err)
		}
		return value, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(retryEvery)), backoff.WithMaxElapsedTime(0))
}

// note writes a result and counts it.
func (b *batch) note(result batchResult) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if result.Status == domain.StatusCompleted {
		b.sum.Completed++
	} else {
		b.sum.Failed++
	}
	if result.Attached {
		b.sum.Attached++
	}
	return terminal.WriteJSON(b.out.to, result)
}

const barWidth = 20

// progress shows how many deliberations are done, how many end per second, and the time that is left.
func (b *batch) progress() string {
	sum, done := b.counted()
	full := done * barWidth / max(sum.Total, 1)
	line := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full) + " " + b.standing()
	if done > 0 {
		rate := float64(done) / time.Since(b.begun).Seconds()
		left := time.Duration(float64(sum.Total-done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %.1f/s, %s left", rate, left.Round(time.Second))
	}
	return line
}

func (b *batch) standing() string {
	sum, done := b.counted()
	return fmt.Sprintf("%d of %d done, %d failed", done, sum.Total, sum.Failed)
}

func (b *batch) counted() (sum summary, done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sum, b.sum.Completed + b.sum.Failed
}
