package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// stopWithin is how long activities have to end when the worker shuts down. Waits return immediately.
	stopWithin = 10 * time.Second
	// heartbeatEvery bounds the age of the progress that people see, since the SDK throttles heartbeats.
	heartbeatEvery = 10 * time.Second
	// stickyFor is how long a workflow task waits for the worker that has the run in its cache, before any worker may take
	// it. With the SDK's five seconds, a quarter of the tasks time out while 2,000 runs start at once, and each is
	// written again. If a worker dies, its runs wait for as long.
	stickyFor = 10 * time.Second
	// deadlockAfter is longer than the SDK's one second: on a busy machine a workflow task may take that long.
	deadlockAfter = 10 * time.Second
)

// workers poll the three task queues, so that neither waiting nor queued turns delay a stop.
type workers struct {
	all    []worker.Worker
	failed chan error // the first fatal error
	finish func()     // returns when nothing that activities began is under way
}

func newWorkers(temporal client.Client, c config, in domain.Environment, with activities.Dependencies, probes *health) *workers {
	w := &workers{failed: make(chan error, 1)}
	var once sync.Once
	fatal := func(err error) {
		once.Do(func() {
			probes.fail(err.Error())
			w.failed <- err
		})
	}
	add := func(queue string, slots int) worker.Worker {
		options := worker.Options{
			DisableRegistrationAliasing:        true,
			WorkerStopTimeout:                  stopWithin,
			MaxHeartbeatThrottleInterval:       heartbeatEvery,
			DefaultHeartbeatThrottleInterval:   heartbeatEvery,
			MaxConcurrentActivityExecutionSize: slots,
			DisableWorkflowWorker:              queue != c.TaskQueue,
			ActivityTaskPollerBehavior:         worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
			DeadlockDetectionTimeout:           deadlockAfter,
			StickyScheduleToStartTimeout:       stickyFor,
			OnFatalError:                       fatal,
			DeploymentOptions:                  c.Build.options(), // all three need it: otherwise the activities of a pinned run go to any build
		}
		if queue == c.TaskQueue {
			options.WorkflowTaskPollerBehavior = worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
		}
		made := worker.New(temporal, queue, options)
		w.all = append(w.all, made)
		return made
	}
	const controlSlots = 1000
	main := add(c.TaskQueue, controlSlots)
	submit := add(contract.SubmitQueue(c.TaskQueue), c.SubmitSlots)
	wait := add(contract.WaitQueue(c.TaskQueue), c.WaitSlots)
	workflows.Register(main, in)
	w.finish = activities.Register(activities.Workers{Main: main, Submit: submit, Wait: wait}, with)
	return w
}

func (w *workers) start() error {
	for _, polling := range w.all {
		if err := polling.Start(); err != nil {
			return err
		}
	}
	return nil
}

// run waits until the context ends or a worker has a fatal error, then stops the workers.
func (w *workers) run(ctx context.Context, probes *health, log *slog.Logger) (err error) {
	probes.started.Store(true)
	select {
	case <-ctx.Done():
	case failure := <-w.failed:
		err = fmt.Errorf("temporal worker: %w", failure)
	}
	probes.started.Store(false)
	begun := time.Now()
	w.stop()
	log.Info("worker stopped; its waits are handed over", "took", time.Since(begun).String())
	return err
}

// stop ends all workers at the same time.
func (w *workers) stop() {
	var stopping sync.WaitGroup
	for _, polling := range w.all {
		stopping.Go(polling.Stop)
	}
	stopping.Wait()
	w.finish()
}
