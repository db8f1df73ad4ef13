package main

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/time/rate"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// connected is the worker's adapters and what they were made for.
type connected struct {
	dependencies activities.Dependencies
	environment  domain.Environment
	rays         map[string]*ray.Client
	fleet        fleet
	publisher    *nats.Publisher
	temporal     client.Client
}

// connect makes the adapters. Ray and NATS may be away: turns wait for the one, events for the other.
func connect(ctx context.Context, c config, temporal client.Client, namespace string, log *slog.Logger) (*connected, error) {
	owner, err := namespaceID(ctx, temporal.WorkflowService(), namespace, log)
	if err != nil {
		return nil, err
	}
	with := &connected{temporal: temporal, rays: map[string]*ray.Client{}, dependencies: activities.Dependencies{
		Clusters: map[string]domain.RayCluster{}, Temporal: temporal, Owner: owner,
	}}
	for _, cluster := range c.RayClusters {
		config := c.rayConfig(cluster)
		config.Changed = told(log, cluster.name)
		made, err := ray.New(config)
		if err != nil {
			return nil, err
		}
		with.rays[cluster.name], with.dependencies.Clusters[cluster.name] = made, made
		with.fleet = append(with.fleet, &member{name: cluster.name, cluster: made})
	}
	with.dependencies.States = with.fleet.states
	with.fleet.begin(ctx)
	if c.NATSURL != "" {
		with.publisher, err = nats.Connect(nats.Config{
			URL: c.NATSURL, Creds: c.NATSCreds, CA: c.NATSCA, Prefix: c.NATSPrefix, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		with.dependencies.Publisher = with.publisher
	}
	present, settling := searchAttributes(ctx, temporal, namespace, c.Register, log)
	settings := domain.Settings{Events: c.NATSURL != "", Allow: c.allow, Attributes: present}
	if len(c.RayClusters) > 1 { // with one cluster there is nowhere else to go before the deadline
		settings.Grace = c.RayGrace
	}
	with.environment = environment{
		settings: settings, clusters: with.fleet.states, settling: settling, settled: time.Now().Add(settleAfter),
	}
	return with, nil
}

func (w *connected) leftovers(taskQueue string, log *slog.Logger) leftovers {
	clusters := map[string]holder{}
	for name, cluster := range w.rays {
		clusters[name] = cluster
	}
	return leftovers{
		runs:     endings{temporal: w.temporal, taskQueue: taskQueue, events: w.publisher != nil},
		clusters: clusters, owner: w.dependencies.Owner, age: leftoversAge, pace: rate.NewLimiter(leftoversPace, 1), log: log,
	}
}

func (w *connected) close() {
	if w.publisher != nil {
		w.publisher.Close()
	}
}

// addTo makes the adapters part of the readiness answer.
func (w *connected) addTo(probes *health) {
	probes.watch(check{name: "temporal", gates: true, ask: func(ctx context.Context) error {
		_, err := w.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}})
	probes.show(w.fleet.views)
	for _, each := range w.fleet {
		probes.watch(check{name: "ray:" + each.name, ask: func(context.Context) error { return each.fault() }})
	}
	if w.publisher != nil {
		probes.watch(check{name: "nats", ask: func(context.Context) error {
			_, err := w.publisher.Status()
			return err
		}})
	}
}
