package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

const (
	// fleetEvery is how often each cluster is looked at: a deliberation is placed by what was seen last.
	fleetEvery = 5 * time.Second
	// fleetAgain is the same of a cluster that is away.
	fleetAgain = time.Second
	// fleetFirst bounds the first look, which a worker's start waits for.
	fleetFirst = 2 * time.Second
)

// prober is what the fleet asks of a cluster; a Ray client does.
type prober interface {
	Info(ctx context.Context) (ray.Info, error)
	Breaker() ray.BreakerState
}

// fleet is the worker's Ray clusters in order of preference, and what was seen of each last.
type fleet []*member

type member struct {
	name    string
	cluster prober
	seen    atomic.Pointer[look]

	mu   sync.Mutex
	told domain.ClusterState // last
}

// look is one look at a cluster.
type look struct {
	info ray.Info
	err  error
	at   time.Time
}

var errNotAsked = errors.New("not asked yet")

// keep looks at the clusters until the context ends.
func (f fleet) keep(ctx context.Context) {
	var looking sync.WaitGroup
	for _, each := range f {
		looking.Go(func() {
			for ctx.Err() == nil {
				pause := fleetEvery
				if !each.state().Up {
					pause = fleetAgain
				}
				select {
				case <-time.After(pause):
					each.look(ctx)
				case <-ctx.Done():
				}
			}
		})
	}
	looking.Wait()
}

// begin looks at all of them once, for a moment.
func (f fleet) begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, fleetFirst)
	defer cancel()
	var looking sync.WaitGroup
	for _, each := range f {
		looking.Go(func() { each.look(ctx) })
	}
	looking.Wait()
}

func (m *member) look(ctx context.Context) {
	info, err := m.cluster.Info(ctx)
	m.seen.Store(&look{info: info, err: err, at: time.Now()})
	m.state() // notes since when
}

// fault is why the cluster doesn't count as answering; nil when it does.
func (m *member) fault() error {
	if seen := m.seen.Load(); seen != nil {
		return seen.err
	}
	return errNotAsked
}

// states are in memory: they are read in workflow tasks.
func (f fleet) states() []domain.ClusterState {
	states := make([]domain.ClusterState, 0, len(f))
	for _, each := range f {
		states = append(states, each.state())
	}
	return states
}

func (m *member) state() domain.ClusterState {
	up := m.fault() == nil && m.cluster.Breaker() == ray.BreakerClosed
	now := time.Now()
	state := domain.ClusterState{Name: m.name, Up: up, UpSince: now, Room: up && m.room() > 0, RoomSince: now}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.told
	if before.Up == state.Up && !before.UpSince.IsZero() {
		state.UpSince = before.UpSince
	}
	if before.Room == state.Room && !before.RoomSince.IsZero() {
		state.RoomSince = before.RoomSince
	}
	m.told = state
	return state
}

// room is how many more turns the cluster's runners take.
func (m *member) room() int {
	room := 0
	seen := m.seen.Load()
	if seen == nil || seen.err != nil {
		return 0
	}
	for _, runner := range seen.info.Runners {
		if runner.Incarnation != "" && !runner.Draining {
			room += max(0, runner.Capacity-runner.InFlight-runner.Kept)
		}
	}
	return room
}

// told logs what a cluster's breaker does.
func told(log *slog.Logger, cluster string) func(from, to ray.BreakerState, why string) {
	return func(from, to ray.BreakerState, why string) {
		switch {
		case from == ray.BreakerClosed: // a probe that fails is no news
			log.Warn("ray cluster does not answer; it is asked by one probe at a time", "cluster", cluster, "cause", why)
		case to == ray.BreakerClosed:
			log.Info("ray cluster answers again", "cluster", cluster)
		}
	}
}

// clusterView is what the worker shows of a cluster.
type clusterView struct {
	Name    string    `json:"name"`
	Breaker string    `json:"breaker"` // closed, half-open, open
	Room    int       `json:"room"`    // turns
	Fault   string    `json:"fault,omitempty"`
	SeenAt  time.Time `json:"seen_at"`
}

// views are the clusters in order of preference.
func (f fleet) views() []clusterView {
	views := make([]clusterView, 0, len(f))
	for _, each := range f {
		view := clusterView{Name: each.name, Breaker: each.cluster.Breaker().String(), Room: each.room()}
		if fault := each.fault(); fault != nil {
			view.Fault = fault.Error()
		}
		if seen := each.seen.Load(); seen != nil {
			view.SeenAt = seen.at.UTC()
		}
		views = append(views, view)
	}
	return views
}
