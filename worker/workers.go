package main

import (
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// stopWithin is how long activities have to end when the worker shuts down. Waits return at once.
	stopWithin = 10 * time.Second
	// heartbeatEvery bounds the SDK's throttle, so that progress which people see isn't older than this.
	heartbeatEvery = 10 * time.Second
	// deadlockAfter is longer than the SDK's second: a starved machine is no deadlock.
	deadlockAfter = 10 * time.Second
)

// workers poll the three task queues: neither waiting nor queuing turns keep a stop from being done.
type workers struct {
	all    []worker.Worker
	failed chan struct{}
}

func newWorkers(temporal client.Client, c config, with *connected, probes *health) *workers {
	w := &workers{failed: make(chan struct{})}
	var once sync.Once
	fatal := func(err error) {
		once.Do(func() {
			probes.fail(err.Error())
			close(w.failed)
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
			OnFatalError:                       fatal,
			DeploymentOptions:                  c.deploymentOptions(), // of all three: else a pinned run's activities go to any build
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
	workflows.Register(main, with.environment)
	activities.Register(activities.Workers{Main: main, Submit: submit, Wait: wait}, with.dependencies)
	return w
}

func (w *workers) start() error {
	for _, each := range w.all {
		if err := each.Start(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all of them at the same time.
func (w *workers) stop() {
	var stopping sync.WaitGroup
	for _, each := range w.all {
		stopping.Go(each.Stop)
	}
	stopping.Wait()
}
