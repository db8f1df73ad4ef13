package main

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/workflows/contract"
)

// pollsWithin is how long ago a live worker polled at most: a poll waits for a minute, and the server
// remembers workers for some minutes after they are gone.
const pollsWithin = 90 * time.Second

// warnOfMissingWorkers says which task queues no worker polls. The start goes on: Temporal keeps the
// deliberation until a worker comes. What can't be found out isn't worth a warning.
func (c *cli) warnOfMissingWorkers(ctx context.Context, taskQueue string) {
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for _, queue := range queues(taskQueue) {
		if polled, err := c.server.pollers(asking, queue); err == nil && polled == 0 {
			c.warn("no worker polls task queue %q; the deliberation waits until one does", queue.name)
		}
	}
}

// queue is a task queue that workers must poll.
type queue struct {
	name string
	kind enumspb.TaskQueueType
}

func queues(taskQueue string) []queue {
	return []queue{
		{taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{contract.SubmitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{contract.WaitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	}
}

// pollers is how many live workers poll a queue.
func (s server) pollers(ctx context.Context, of queue) (int, error) {
	described, err := s.DescribeTaskQueue(ctx, of.name, of.kind)
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
