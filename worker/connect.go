package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fleet"
	"deliberation.io/deliberation/internal/searchattributes"
	"deliberation.io/deliberation/internal/sweep"
)

// adapters connect the worker to Temporal, Ray and NATS.
type adapters struct {
	temporal  client.Client
	owner     string // the namespace's id
	rays      map[string]*ray.Client
	fleet     fleet.Fleet
	publisher *nats.Publisher // nil if no events are published
}

// connect creates the adapters. Ray and NATS may be away: turns wait for Ray, and events wait for NATS.
func connect(ctx context.Context, c config, temporal client.Client, namespace string, log *slog.Logger) (*adapters, error) {
	owner, err := namespaceID(ctx, temporal.WorkflowService(), namespace, log)
	if err != nil {
		return nil, err
	}
	a := &adapters{temporal: temporal, owner: owner, rays: map[string]*ray.Client{}}
	if c.NATS.URL != "" {
		c.NATS.Logger = log
		if a.publisher, err = nats.Connect(c.NATS); err != nil {
			return nil, err
		}
	}
	for _, cluster := range c.Ray.Clusters {
		config := c.Ray.client(cluster)
		config.Owner = owner
		config.Changed = fleet.LogBreaker(log, cluster.Name)
		if a.publisher != nil {
			config.Heard = a.publisher.Offer
		}
		made, err := ray.New(config)
		if err != nil {
			a.close()
			return nil, err
		}
		a.rays[cluster.Name], a.fleet = made, append(a.fleet, fleet.NewMember(cluster.Name, made))
	}
	a.fleet.Look(ctx)
	return a, nil
}

func (a *adapters) close() {
	if a.publisher != nil {
		a.publisher.Close()
	}
}

func (a *adapters) dependencies() activities.Dependencies {
	needed := activities.Dependencies{
		Clusters: map[string]domain.RayCluster{}, Temporal: a.temporal, Owner: a.owner, States: a.fleet.States,
	}
	for name, cluster := range a.rays {
		needed.Clusters[name] = cluster
	}
	if a.publisher != nil {
		needed.Publisher = a.publisher
	}
	return needed
}

// environment also registers the search attributes that the namespace lacks.
func (a *adapters) environment(ctx context.Context, c config, namespace string, log *slog.Logger) environment {
	present, settling := searchattributes.Ensure(ctx, a.temporal, namespace, c.Register, log)
	settings := domain.Settings{Events: a.publisher != nil, Allow: c.allow, Prices: c.prices, Attributes: present}
	if len(a.fleet) > 1 { // with one cluster there is no other one to move to
		settings.Grace = c.Ray.Grace
	}
	return environment{
		settings: settings, fleet: a.fleet, settling: settling, settled: time.Now().Add(searchattributes.SettleAfter),
	}
}

func (a *adapters) sweeper(taskQueue string, log *slog.Logger) sweep.Sweeper {
	clusters := map[string]sweep.Cluster{}
	for name, cluster := range a.rays {
		clusters[name] = cluster
	}
	return sweep.Sweeper{
		Runs:     sweep.Runs{Temporal: a.temporal, TaskQueue: taskQueue, Events: a.publisher != nil},
		Clusters: clusters, Owner: a.owner, MinAge: sweep.MinAge, Pace: sweep.NewPace(), Log: log,
	}
}

// addTo adds the adapters to the readiness answer.
func (a *adapters) addTo(probes *health) {
	probes.add(check{name: "temporal", gates: true, ask: func(ctx context.Context) error {
		_, err := a.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	}})
	probes.addClusters(a.fleet.Views)
	for _, member := range a.fleet {
		probes.add(check{name: "ray:" + member.Name(), ask: func(context.Context) error { return member.Fault() }})
	}
	if a.publisher != nil {
		probes.add(check{name: "nats", ask: func(context.Context) error {
			_, err := a.publisher.Status()
			return err
		}})
	}
}

// environment is what the Opening of every deliberation records.
type environment struct {
	settings domain.Settings
	fleet    fleet.Fleet
	settling []string // search attributes that were just registered
	settled  time.Time
}

// Settings does no I/O, since workflow tasks call it.
func (e environment) Settings() domain.Settings {
	settings := e.settings
	settings.Clusters, settings.Fence = e.fleet.States(), rand.Text()
	if time.Now().After(e.settled) {
		settings.Attributes = append(slices.Clone(settings.Attributes), e.settling...)
	}
	return settings
}
