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

// Cluster is what a fleet needs of a Ray cluster; [ray.Client] implements it.
type Cluster interface {
	Info(ctx context.Context) (ray.Info, error)
	Breaker() ray.BreakerState
}

// Member is one cluster and what was seen of it.
type Member struct {
	name    string
	cluster Cluster
	seen    atomic.Pointer[answer]

	mu   sync.Mutex
	last domain.ClusterState // the times in it stay as they are until something changes
}

// answer is what a cluster answered, or why it didn't.
type answer struct {
	info ray.Info
	err  error
	at   time.Time
}

var errNotAsked = errors.New("not asked yet")

// NewMember returns a cluster that nobody has looked at yet.
func NewMember(name string, cluster Cluster) *Member { return &Member{name: name, cluster: cluster} }

// Name returns the cluster's name.
func (m *Member) Name() string { return m.name }

// Fault returns why the cluster did not answer when it was asked last; nil when it did.
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
	m.state() // records since when
}

// state compares the cluster with what it was at the last call, and keeps the times of what is the same.
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

// View is what the worker shows of a cluster.
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
