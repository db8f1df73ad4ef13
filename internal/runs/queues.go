package runs

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/workflows/contract"
)

// pollsWithin is the longest time since a live worker's last poll: a poll waits for a minute, and the
// server remembers workers for some minutes after they are gone.
const pollsWithin = 90 * time.Second

// Queue is a task queue that workers must poll.
type Queue struct {
	Name string
	kind enumspb.TaskQueueType
}

// Queues are the task queues that deliberations of one task queue need.
func Queues(taskQueue string) []Queue {
	return []Queue{
		{taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{contract.SubmitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.WaitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	}
}

// Pollers counts the live workers that poll a queue.
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
