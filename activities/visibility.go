package activities

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"golang.org/x/time/rate"
)

const (
	pageSize = 1000 // the server's maximum
	// pagesPerSecond leaves half of what a namespace may ask of visibility to people and their tools.
	pagesPerSecond = 5
	// pageTry bounds one request: a heartbeat must be due later.
	pageTry = 15 * time.Second
	// pageWithin is how long a server that is too busy is asked again, before the count begins anew.
	pageWithin = 2 * time.Minute
)

func newPace() *rate.Limiter { return rate.NewLimiter(pagesPerSecond, pagesPerSecond) }

// list gives the runs that match page by page; no page is kept.
func (s set) list(ctx context.Context, what, query string, each func([]*workflowpb.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{PageSize: pageSize, Query: query}
	for {
		page, err := s.page(ctx, what, request)
		if err != nil {
			return err
		}
		if err := each(page.GetExecutions()); err != nil {
			return err
		}
		if len(page.GetNextPageToken()) == 0 {
			return nil
		}
		request.NextPageToken = page.GetNextPageToken()
	}
}

// page asks again while visibility is too busy: what was read so far needn't be read anew.
func (s set) page(ctx context.Context, what string, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ask := func() (*workflowservice.ListWorkflowExecutionsResponse, error) {
		if err := s.pace.Wait(ctx); err != nil {
			return nil, backoff.Permanent(err)
		}
		activity.RecordHeartbeat(ctx, what)
		try, cancel := context.WithTimeout(ctx, pageTry)
		defer cancel()
		page, err := s.Temporal.ListWorkflow(try, request)
		if err != nil && !busy(err) && try.Err() == nil {
			err = backoff.Permanent(err)
		}
		return page, err
	}
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = 10 * time.Second
	return backoff.Retry(ctx, ask, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(pageWithin))
}

func busy(err error) bool {
	var exhausted *serviceerror.ResourceExhausted
	return errors.As(err, &exhausted)
}
