package domain

import (
	"context"
	"time"
)

// MaxAwaited is how many turns one wait may be for.
const MaxAwaited = 1024

// RayCluster is one Ray cluster with the deliberation app on it. Errors are [*Error], or the context's.
type RayCluster interface {
	// Submit is idempotent by turn id: a second call attaches to the same work. After KindUnavailable and
	// KindUnreachable the work may have started: the caller submits again, or stops it.
	Submit(ctx context.Context, submission Submission) (Acceptance, error)

	// Await returns as soon as one of the turns has ended, with those that have, or after wait, with what is known
	// of all. Where an answer would be too long, the rest of it comes the next time. The handles name the same
	// runner and incarnation, and there are at most MaxAwaited. An error that isn't the context's says that nobody
	// could speak for the turns. What can't be read of one turn is that turn's own [Observation].
	Await(ctx context.Context, handles []Handle, wait time.Duration) ([]Observation, error)

	// Stop returns the state of each turn once none of their model calls runs any more, or when it can't wait
	// longer. Turns that had completed come with their result.
	Stop(ctx context.Context, order StopOrder) ([]Observation, error)

	// Forget drops outcomes that are in history, those of several deliberations together. If such a turn is
	// submitted again, nothing starts.
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

// Plus adds two counts.
func (p Publication) Plus(other Publication) Publication {
	return Publication{p.Stored + other.Stored, p.Duplicate + other.Duplicate, p.Dropped + other.Dropped}
}

// Environment provides the worker's configuration to the Opening. It does no I/O, since it is read in a
// workflow task.
type Environment interface {
	Settings() Settings
}

// Settings are what a deliberation needs to know of its surroundings. They are read once, at its start.
type Settings struct {
	Clusters   []ClusterState // in order of preference
	Grace      time.Duration  // how long a cluster may be away before its turns go to another one
	Attributes []string       // the search attributes that the namespace has
	Events     bool           // whether events are published
	Allow      AllowList      // which model servers may be named
	Prices     Prices         // what models cost
	Fence      string         // a new secret each time; the fences around texts of models are derived from it
}
