package main

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"deliberation.io/deliberation/workflows"
)

// pollsWithin is how long ago a live worker polled at most: a poll waits for a minute, and the server
// remembers workers for some minutes after they are gone.
const pollsWithin = 90 * time.Second

// warnOfMissingWorkers says which task queues no worker polls. The start goes on: Temporal keeps the
// deliberation until a worker comes. What can't be found out isn't worth a warning.
func (c *cli) warnOfMissingWorkers(ctx context.Context, taskQueue string) {
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	for _, queue := range []struct {
		name string
		kind enumspb.TaskQueueType
	}{
		{taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW},
		{workflows.SubmitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
		{workflows.WaitQueue(taskQueue), enumspb.TASK_QUEUE_TYPE_ACTIVITY},
	} {
		described, err := c.server.DescribeTaskQueue(asking, queue.name, queue.kind)
		if err != nil {
			continue
		}
		polled := false
		for _, poller := range described.GetPollers() {
			polled = polled || time.Since(poller.GetLastAccessTime().AsTime()) < pollsWithin
		}
		if !polled {
			c.warn("no worker polls task queue %q; the deliberation waits until one does", queue.name)
		}
	}
}
