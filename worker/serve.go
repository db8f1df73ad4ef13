package main

import (
	"context"
	"log/slog"
	"sync"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities/statistics"
	"deliberation.io/deliberation/internal/tracing"
)

// serve runs the worker until the context ends, then hands its waits over to other workers.
func serve(ctx context.Context, c config, options client.Options, log *slog.Logger) error {
	probes, metrics := &health{}, newRegistry()
	stopProbes, err := probes.listen(ctx, c.HTTPAddr, metrics, log)
	if err != nil {
		return err
	}
	defer stopProbes()

	traces, err := tracing.New(ctx, "deliberation-worker", version, func(err error) { log.Warn("spans not sent", "error", err) })
	if err != nil {
		return err
	}
	defer flush(ctx, traces, log)
	options.Interceptors = traces.Interceptors
	temporal, err := dial(ctx, options, metrics, log)
	if err != nil {
		return err
	}
	defer temporal.Close()

	with, err := connect(ctx, c, temporal, options.Namespace, log)
	if err != nil {
		return err
	}
	defer with.close()
	with.addTo(probes)
	with.measure(metrics)
	defer background(ctx, with.fleet.Watch)()
	workers := newWorkers(temporal, c, with.environment(ctx, c, options.Namespace, log), with.dependencies(), probes)
	if err := workers.start(); err != nil {
		return err
	}
	defer background(ctx, statistics.Keeper{Temporal: temporal, TaskQueue: c.TaskQueue, Log: log}.Keep)()
	defer background(ctx, with.sweeper(c.TaskQueue, log).Watch)()

	c.Build.log(options.Namespace, log)
	log.Info("worker started", "namespace", options.Namespace, "task_queue", c.TaskQueue,
		"ray_clusters", c.Ray.Clusters.Names(), "events", c.NATS.URL != "", "version", version)
	return workers.run(ctx, probes, log)
}

func flush(ctx context.Context, traces *tracing.Tracing, log *slog.Logger) {
	if err := traces.Close(ctx); err != nil {
		log.Warn("last spans not sent", "error", err)
	}
}

// background calls do, and cancels its context when end is called. The function end waits until do has returned.
func background(ctx context.Context, do func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { do(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}
