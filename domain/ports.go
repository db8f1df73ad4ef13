package domain

import (
	"context"
	"time"
)

// MaxAwaited is the most turns that one call of Await may wait for.
const MaxAwaited = 1024

// RayCluster is one Ray cluster with the deliberation app on it. Errors are [*Error], or the context's.
type RayCluster interface {
	// Submit is idempotent by turn id: a second call attaches to the same work. After KindUnavailable and
	// KindUnreachable the work may have started: the caller submits again, or stops it.
	Submit(ctx context.Context, submission Submission) (Acceptance, error)

	// Await returns the turns that have ended as soon as there is one. After wait, it returns what is known of all
	// turns. If the response would be too long, it leaves out some turns; they come with the next call. The handles
	// name one runner and one incarnation, and there are at most MaxAwaited. An error that isn't the context's
	// means that nothing is known of any turn. If one turn can't be read, its own [Observation] says so.
	Await(ctx context.Context, handles []Handle, wait time.Duration) ([]Observation, error)

	// Stop returns the state of each turn when all their model calls have ended, or when it can't wait longer.
	// Turns that had completed come with their results.
	Stop(ctx context.Context, order StopOrder) ([]Observation, error)

	// Forget drops outcomes that are in history. The orders may be of several deliberations. If a forgotten turn
	// is submitted again, nothing starts.
	Forget(ctx context.Context, orders ...StopOrder) error
}

// EventPublisher stores events. A nil publisher means that no events are wanted.
type EventPublisher interface {
	// Publish returns once all events are stored, in order. On an error the caller publishes all of them
	// again; the Publication that comes with the error counts those that were stored before it. A repeated
	// event is stored once within the stream's duplicate window.
	Publish(ctx context.Context, events []Event) (Publication, error)
}

// Publication counts what happened to published events.
type Publication struct {
	Stored    int
	Duplicate int // stored before
	Dropped   int // best-effort events that weren't stored, and events that are too large for any stream
}

func (p Publication) Plus(other Publication) Publication {
	return Publication{p.Stored + other.Stored, p.Duplicate + other.Duplicate, p.Dropped + other.Dropped}
}

// Environment provides the worker's configuration to the Opening. It does no I/O, since it is read in a
// workflow task.
type Environment interface {
	Settings() Settings
}

// Settings are the worker's settings that a deliberation depends on. They are read once, at its start.
type Settings struct {
	Clusters   []ClusterState // in order of preference
	Grace      time.Duration  // how long a cluster may be away before its turns go to another one
	Attributes []string       // the search attributes that the namespace has
	Events     bool           // whether events are published
	Allow      AllowList      // which model servers may be named
	Prices     Prices         // what models cost
	Fence      string         // a new secret each time; the fences around texts of models are derived from it
}
