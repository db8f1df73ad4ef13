package domain

import (
	"fmt"
	"time"
)

// ErrorKind decides what happens after an error of a port. Append only: it travels in failures.
type ErrorKind string

// The kinds, and who does what.
const (
	KindFull        ErrorKind = "RayFull"          // no room now: ask again after RetryAfter
	KindUnavailable ErrorKind = "RayUnavailable"   // the app says not now: the work may have started all the same; ask again
	KindUnreachable ErrorKind = "RayUnreachable"   // nobody answered for the app: the work may have started; ask again
	KindDenied      ErrorKind = "RayDenied"        // our token is refused: stop
	KindRejected    ErrorKind = "TurnRejected"     // the request is malformed to the app: stop
	KindURL         ErrorKind = "UrlNotAllowed"    // the cluster forbids the model server: stop
	KindPublish     ErrorKind = "EventsNotStored"  // NATS didn't acknowledge: publish again
	KindNoCluster   ErrorKind = "RayClusterNotSet" // no cluster of that name is configured here: another worker may have it
)

// Error is what a port's operation failed with.
type Error struct {
	Kind       ErrorKind
	Op         string // what was tried, for example "submit to local"
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s", e.Op, e.Kind)
	}
	return fmt.Sprintf("%s: %s", e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Fatal tells an error that trying again can't mend.
func (e *Error) Fatal() bool {
	switch e.Kind {
	case KindDenied, KindRejected, KindURL:
		return true
	case KindFull, KindUnavailable, KindUnreachable, KindPublish, KindNoCluster:
	}
	return false
}
