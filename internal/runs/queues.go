package runs

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/workflows/contract"
)

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
