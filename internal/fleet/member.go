package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/domain"
)

// Cluster is the part of a Ray cluster's client that a fleet needs; [ray.Client] implements it.
type Cluster interface {
	Info(ctx context.Context) (ray.Info, error)
	Breaker() ray.BreakerState
}

// Member is one cluster with its latest state.
type Member struct {
	name    string
	cluster Cluster
	seen    atomic.Pointer[answer]

	mu   sync.Mutex
	last domain.ClusterState // its times change only with what they are about
}

// answer is a cluster's answer, or why there is none.
type answer struct {
	info ray.Info
	err  error
	at   time.Time
}

var errNotAsked = errors.New("not asked yet")

// NewMember returns a member that wasn't asked yet.
func NewMember(name string, cluster Cluster) *Member { return &Member{name: name, cluster: cluster} }

func (m *Member) Name() string { return m.name }

// Fault returns why the cluster did not answer the last time; nil if it did.
func (m *Member) Fault() error {
	if seen := m.seen.Load(); seen != nil {
		return seen.err
	}
	return errNotAsked
}

func (m *Member) lookWhenDue(ctx context.Context) {
	if seen := m.seen.Load(); seen != nil && m.state().Up && time.Since(seen.at) < everyUp {
		return
	}
	m.look(ctx)
}

func (m *Member) look(ctx context.Context) {
	info, err := m.cluster.Info(ctx)
	m.seen.Store(&answer{info: info, err: err, at: time.Now()})
	m.state() // records the times
}

// state returns the cluster's state. It keeps the times of what hasn't changed since the last call.
func (m *Member) state() domain.ClusterState {
	up := m.Fault() == nil && m.cluster.Breaker() == ray.BreakerClosed
	now := time.Now()
	state := domain.ClusterState{Name: m.name, Up: up, UpSince: now, Room: up && m.room() > 0, RoomSince: now}
	m.mu.Lock()
	defer m.mu.Unlock()
	before := m.last
	if before.Up == state.Up && !before.UpSince.IsZero() {
		state.UpSince = before.UpSince
	}
	if before.Room == state.Room && !before.RoomSince.IsZero() {
		state.RoomSince = before.RoomSince
	}
	m.last = state
	return state
}

// room returns how many more turns the cluster's runners take.
func (m *Member) room() int {
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

// View is a cluster's state as the worker shows it.
type View struct {
	Name    string    `json:"name"`
	Breaker string    `json:"breaker"` // closed, half-open, open
	Room    int       `json:"room"`    // turns
	Fault   string    `json:"fault,omitempty"`
	SeenAt  time.Time `json:"seen_at"`
}

func (m *Member) view() View {
	view := View{Name: m.name, Breaker: m.cluster.Breaker().String(), Room: m.room()}
	if fault := m.Fault(); fault != nil {
		view.Fault = fault.Error()
	}
	if seen := m.seen.Load(); seen != nil {
		view.SeenAt = seen.at.UTC()
	}
	return view
}
