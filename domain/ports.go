package domain

import (
	"context"
	"time"
)

// RayCluster is one Ray cluster with the deliberation app on it. Errors are [*Error], or the context's.
type RayCluster interface {
	// Submit is idempotent by turn id: a second call attaches to the same work. KindUnreachable means
	// that the work may have started; the caller submits again or stops it.
	Submit(ctx context.Context, submission Submission) (Acceptance, error)

	// Await returns what is known of the turn as soon as it has ended, or after wait. A cluster that
	// can't be reached is an [Observation], not an error: the error is the context's.
	Await(ctx context.Context, handle Handle, wait time.Duration) (Observation, error)

	// Stop returns once no model call of these turns runs any more, or it can't wait longer, with the
	// state of each: those that had completed come with their result.
	Stop(ctx context.Context, order StopOrder) ([]Observation, error)

	// Forget drops outcomes whose results are safe elsewhere. A late submit of such a turn starts nothing.
	Forget(ctx context.Context, order StopOrder) error
}

// EventPublisher stores events. A nil publisher means that no events are wanted.
type EventPublisher interface {
	// Publish returns once all events are stored, in order; a repeated event is stored once within the
	// stream's duplicate window. The caller retries, with all of them: what came of those before an error
	// is told beside it.
	Publish(ctx context.Context, events []Event) (Publication, error)
}

// Publication counts what came of events.
type Publication struct {
	Stored    int
	Duplicate int // were stored already
	Dropped   int // best-effort ones that weren't taken, and those that nothing can ever take
}

// Plus is what came of both.
func (p Publication) Plus(other Publication) Publication {
	return Publication{p.Stored + other.Stored, p.Duplicate + other.Duplicate, p.Dropped + other.Dropped}
}

// Environment is the worker's configuration as Opening records it. It does no I/O: it is read in a
// workflow task.
type Environment interface {
	Settings() Settings
}

// Settings is what a deliberation needs to know of its surroundings, read once at its beginning.
type Settings struct {
	Clusters   []ClusterState // in order of preference
	Grace      time.Duration  // how long a cluster may be away before its turns go to another one
	Attributes []string       // the search attributes that the namespace has
	Events     bool           // whether events are published
	Allow      AllowList      // which model servers may be named
}
