package ray

import (
	"errors"
	"strings"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// awayFor is how long only another Ray cluster must answer at a cluster's address before the cluster's turns
	// count as lost. During an upgrade of a RayService, the older cluster stays for a minute.
	awayFor = 2 * time.Minute
	// missedPause is the longest pause between two answers of another cluster that belong to one absence. Running
	// turns are asked for more often.
	missedPause = time.Minute
	// sightingsKept bounds how many missed clusters are remembered.
	sightingsKept = 100
)

// otherClusterError is the refusal of turns that belong to another Ray cluster. Two clusters may share an address: one
// that is being replaced, and its successor.
type otherClusterError struct{ said string }

func (o otherClusterError) Error() string { return o.said }

// sightings records in whose place another Ray cluster has answered.
type sightings struct {
	mu     sync.Mutex
	missed map[string]missing
}

// missing says from when to when another cluster answered in a cluster's place.
type missing struct{ since, last time.Time }

// markOf returns the Ray cluster's part of a runner's incarnation; empty if there is none.
func markOf(incarnation string) string {
	return incarnation[:max(0, strings.LastIndexByte(incarnation, '.'))]
}

// saw records that a runner of this incarnation has answered.
func (s *sightings) saw(incarnation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missed, markOf(incarnation))
}

// gone records the error of a call about these turns, and reports whether their cluster is gone: another cluster has
// given all answers for longer than the limit.
func (s *sightings) gone(err error, handles []domain.Handle, limit time.Duration) bool {
	if _, other := errors.AsType[otherClusterError](err); !other {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := true
	for _, handle := range handles {
		all = s.miss(markOf(handle.Incarnation)) >= limit && all
	}
	return all
}

// miss records that the cluster is missing, and returns for how long it has been. It needs the lock.
func (s *sightings) miss(mark string) time.Duration {
	now := time.Now()
	if s.missed == nil || len(s.missed) >= sightingsKept {
		s.missed = map[string]missing{}
	}
	known, is := s.missed[mark]
	if !is || now.Sub(known.last) > missedPause {
		known.since = now
	}
	known.last = now
	s.missed[mark] = known
	return now.Sub(known.since)
}

// lost returns the observations of turns whose cluster is gone.
func lost(handles []domain.Handle) []domain.Observation {
	return domain.Each(handles, func(handle domain.Handle) domain.Observation {
		return domain.Observation{TurnID: handle.TurnID, State: domain.RayUnknown}
	})
}
