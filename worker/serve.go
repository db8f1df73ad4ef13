package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
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
	metrics.MustRegister(with.fleet)
	defer meanwhile(ctx, with.fleet.keep)()

	workers := newWorkers(temporal, c, with, probes)
	if err := workers.start(); err != nil {
		return err
	}
	defer meanwhile(ctx, statistics{client: temporal, taskQueue: c.TaskQueue, log: log}.keep)()
	go with.leftovers(c.TaskQueue, log).watch(ctx)
	c.logBuild(options.Namespace, log)
	probes.started.Store(true)
	log.Info("worker started", "namespace", options.Namespace, "task_queue", c.TaskQueue,
		"ray_clusters", c.RayClusters.names(), "events", c.NATSURL != "", "version", version)

	select {
	case <-ctx.Done():
	case <-workers.failed:
		err = fmt.Errorf("temporal worker: %s", *probes.fatal.Load())
	}
	probes.started.Store(false)
	begun := time.Now()
	workers.stop()
	log.Info("worker stopped; its waits are handed over", "took", time.Since(begun).String())
	return err
}

func flush(ctx context.Context, traces *tracing.Tracing, log *slog.Logger) {
	if err := traces.Close(ctx); err != nil {
		log.Warn("last spans not sent", "error", err)
	}
}

// meanwhile runs something in the background until the context ends or what it returns is called, which
// waits for it.
func meanwhile(ctx context.Context, do func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { do(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

// environment is what every deliberation's Opening records.
type environment struct {
	settings domain.Settings
	clusters func() []domain.ClusterState
	settling []string // search attributes that were just registered,
	settled  time.Time
}

// Settings does no I/O: it is read in a workflow task.
func (e environment) Settings() domain.Settings {
	settings := e.settings
	settings.Clusters = e.clusters()
	if time.Now().After(e.settled) {
		settings.Attributes = append(slices.Clone(settings.Attributes), e.settling...)
	}
	return settings
}
