package statistics

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"golang.org/x/time/rate"

	"deliberation.io/deliberation/workflows/contract"
)

const (
	deliberations = "WorkflowType='" + contract.DeliberationName + "' AND "

	pageSize = 1000 // the server's maximum
	// pagesPerSecond leaves half of a namespace's limit for visibility to people and their tools.
	pagesPerSecond = 5
	// pageTry bounds one request. It is shorter than the heartbeat timeout.
	pageTry = 15 * time.Second
	// pageWithin is how long a busy server is asked for a page before the whole count is tried again.
	pageWithin = 2 * time.Minute
)

// Temporal is the part of a Temporal client that counting needs.
type Temporal interface {
	contract.History
	ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Counter counts the deliberations of a namespace.
type Counter struct {
	temporal Temporal
	memos    converter.DataConverter
	pace     *rate.Limiter // of pages read from visibility
}

// NewCounter returns a counter with a pace of its own. It reads memos with the converter that wrote them.
func NewCounter(temporal Temporal, memos converter.DataConverter) Counter {
	return Counter{temporal: temporal, memos: memos, pace: rate.NewLimiter(pagesPerSecond, pagesPerSecond)}
}

// read reads a value of a run's memo. It reports whether the memo has the key with a value of that type.
func (c Counter) read(run *workflowpb.WorkflowExecutionInfo, key string, into any) bool {
	payload := run.GetMemo().GetFields()[key]
	return payload != nil && c.memos.FromPayload(payload, into) == nil
}

// pages yields the matching runs page by page; an error is the last thing it yields.
func (c Counter) pages(ctx context.Context, what, query string) iter.Seq2[[]*workflowpb.WorkflowExecutionInfo, error] {
	return func(yield func([]*workflowpb.WorkflowExecutionInfo, error) bool) {
		request := &workflowservice.ListWorkflowExecutionsRequest{PageSize: pageSize, Query: query}
		for {
			page, err := c.page(ctx, what, request)
			request.NextPageToken = page.GetNextPageToken()
			if !yield(page.GetExecutions(), err) || len(request.NextPageToken) == 0 {
				return
			}
		}
	}
}

// page asks again while visibility is too busy, so that the previous pages needn't be read again.
func (c Counter) page(ctx context.Context, what string, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ask := func() (*workflowservice.ListWorkflowExecutionsResponse, error) {
		if err := c.pace.Wait(ctx); err != nil {
			return nil, backoff.Permanent(err)
		}
		activity.RecordHeartbeat(ctx, what)
		try, cancel := context.WithTimeout(ctx, pageTry)
		defer cancel()
		page, err := c.temporal.ListWorkflow(try, request)
		_, busy := errors.AsType[*serviceerror.ResourceExhausted](err)
		if err != nil && !busy && try.Err() == nil {
			err = backoff.Permanent(err)
		}
		return page, err
	}
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = 10 * time.Second
	return backoff.Retry(ctx, ask, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(pageWithin))
}
