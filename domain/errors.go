package domain

import (
	"fmt"
	"time"
)

// ErrorKind decides what happens after an error of a port. Append only: it travels in failures.
type ErrorKind string

// The kinds, and what the caller does.
const (
	KindFull        ErrorKind = "RayFull"          // no room now: ask again after RetryAfter
	KindUnavailable ErrorKind = "RayUnavailable"   // the app can't answer now, and the work may have started: ask again
	KindUnreachable ErrorKind = "RayUnreachable"   // the app didn't answer, and the work may have started: ask again
	KindDenied      ErrorKind = "RayDenied"        // our token is refused: stop
	KindRejected    ErrorKind = "TurnRejected"     // the app calls the request malformed: stop
	KindURL         ErrorKind = "UrlNotAllowed"    // the cluster forbids the model server: stop
	KindPublish     ErrorKind = "EventsNotStored"  // NATS didn't acknowledge: publish again
	KindNoCluster   ErrorKind = "RayClusterNotSet" // this worker has no cluster of that name, but another one may: ask again
)

// Error says that an operation of a port failed, and of which kind the error is.
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

// Fatal reports whether another try can't help.
func (e *Error) Fatal() bool {
	switch e.Kind {
	case KindDenied, KindRejected, KindURL:
		return true
	case KindFull, KindUnavailable, KindUnreachable, KindPublish, KindNoCluster:
	}
	return false
}
