package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows/contract"
)

// Reader reads the deliberations of one namespace.
type Reader struct {
	client.Client

	Namespace string
}

// NotFoundError says that no deliberation has this id.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("deliberation %q not found", e.ID) }

// Find finds the latest run by its deliberation id or its task id.
func (r Reader) Find(ctx context.Context, id string) (Run, error) {
	for _, candidate := range []string{id, contract.WorkflowID(id)} {
		found, err := r.Describe(ctx, candidate, "")
		switch _, missing := errors.AsType[*serviceerror.NotFound](err); {
		case missing:
			continue
		case err != nil:
			return Run{}, err
		case found.Info.GetType().GetName() == contract.DeliberationName:
			return found, nil
		}
	}
	return r.findTask(ctx, id)
}

// findTask finds a task whose deliberation has a workflow id of the caller's own. It prefers an open run to the one that
// ended last. Without the search attribute in the namespace, it finds nothing.
func (r Reader) findTask(ctx context.Context, taskID string) (Run, error) {
	for found, err := range r.List(ctx, Deliberations().Is(contract.AttributeTaskID.GetName(), taskID), 1) {
		switch {
		case err == nil:
			return r.Describe(ctx, found.ID, found.RunID)
		case MayAnswerLater(err):
			return Run{}, err
		}
	}
	return Run{}, &NotFoundError{taskID}
}

// Describe asks Temporal for a run; an empty run id means the latest one.
func (r Reader) Describe(ctx context.Context, id, runID string) (Run, error) {
	described, err := r.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return Run{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	return Run{ID: id, RunID: info.GetExecution().GetRunId(), Info: info, Pending: described.GetPendingActivities()}, nil
}

// MayAnswerLater reports whether Temporal may answer if it is asked again.
func MayAnswerLater(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return unavailable || late || errors.Is(err, context.DeadlineExceeded)
}

// pollsWithin is the longest time since the last poll of a live worker, whose polls take up to a minute. The server
// lists a worker for some minutes after it has ended.
const pollsWithin = 90 * time.Second

// Queue is a task queue that workers must poll.
type Queue struct {
	Name string
	kind enumspb.TaskQueueType
}

// Queues returns the task queues that workers must poll for deliberations of this task queue.
func Queues(taskQueue string) []Queue {
	return []Queue{
		{taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{contract.SubmitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.WaitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	}
}

func (r Reader) Pollers(ctx context.Context, of Queue) (int, error) {
	described, err := r.DescribeTaskQueue(ctx, of.Name, of.kind)
	if err != nil {
		return 0, err
	}
	polled := 0
	for _, poller := range described.GetPollers() {
		if time.Since(poller.GetLastAccessTime().AsTime()) < pollsWithin {
			polled++
		}
	}
	return polled, nil
}
