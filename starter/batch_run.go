package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// batch is what runs and what has come of it.
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
	Attached  int    `json:"attached"` // were there already
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
	Usage          *contract.TotalUsage      `json:"usage,omitempty"` // of one without a result
}

// one starts a deliberation, or attaches to it, and waits for its end. An error is about more than this one.
func (b *batch) one(ctx context.Context, line batchLine) (batchResult, error) {
	result := batchResult{
		Line: line.number, TaskID: line.taskID, DeliberationID: contract.WorkflowID(line.taskID), Status: domain.StatusFailed,
	}
	started, err := patiently(ctx, func() (contract.Started, error) {
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
	end, err := patiently(ctx, func() (ending, error) { return b.server.awaited(ctx, result.DeliberationID, result.RunID) })
	if err != nil {
		return result, fmt.Errorf("line %d: %w", line.number, err)
	}
	if result.Status = end.status; end.status == domain.StatusCompleted {
		result.Result = &end.result
		return result, nil
	}
	result.ErrorType, result.Message = end.errorType, end.message
	result.Failures, result.Usage = end.details.Failures, &end.details.Usage
	return result, nil
}

// awaited waits for a run's end: for its last event, so that nothing is asked of a worker.
func (s server) awaited(ctx context.Context, id, runID string) (ending, error) {
	t := newTimeline()
	events := s.GetWorkflowHistory(ctx, id, runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return ending{}, err
		}
		t.take(event)
	}
	return t.ending(id)
}

// patiently tries again while Temporal is away, or has too much to do.
func patiently[T any](ctx context.Context, try func() (T, error)) (T, error) {
	for {
		value, err := try()
		var exhausted *serviceerror.ResourceExhausted
		if err == nil || ctx.Err() != nil || (!silent(err) && !errors.As(err, &exhausted)) {
			return value, err
		}
		select {
		case <-ctx.Done():
			return value, ctx.Err()
		case <-time.After(retryEvery):
		}
	}
}

// note writes a result down and counts it.
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
	return b.out.write(result)
}

const barWidth = 20

// progress says how far the batch is, how fast it goes, and when it may be done.
func (b *batch) progress(int) string {
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
