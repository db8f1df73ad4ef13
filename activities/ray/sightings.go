package ray

import (
	"errors"
	"strings"
	"sync"
	"time"

	"deliberation.io/deliberation/domain"
)

const (
	// awayFor is how long nothing but another Ray cluster must answer at a cluster's address before the cluster's
	// turns count as lost. An upgrade of a RayService leaves the older cluster there for a minute.
	awayFor = 2 * time.Minute
	// missedPause is the longest pause between two answers of another cluster that count as one absence: turns
	// in flight are asked for more often.
	missedPause = time.Minute
	// sightingsKept bounds how many missed clusters are remembered.
	sightingsKept = 100
)

// otherCluster is a refusal of turns that another Ray cluster has. Two clusters may stand behind one
// address: one that is being replaced, and its successor.
type otherClusterError struct{ said string }

func (o otherClusterError) Error() string { return o.said }

// sightings records which Ray clusters another one has answered for.
type sightings struct {
	mu     sync.Mutex
	missed map[string]missing
}

// missing is since when, and until when, another cluster answered in a cluster's place.
type missing struct{ since, last time.Time }

// markOf is the Ray cluster's part of a runner's incarnation; empty when it names none.
func markOf(incarnation string) string {
	return incarnation[:max(0, strings.LastIndexByte(incarnation, '.'))]
}

// saw notes that a runner of this incarnation has answered.
func (s *sightings) saw(incarnation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.missed, markOf(incarnation))
}

// gone notes that the call of these turns had this error, and reports whether their cluster is gone: for limit,
// whoever asked for it got another one's answer.
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

// miss is how long the cluster has been missed now. It needs the lock.
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

// lost is what is seen of turns whose cluster is gone.
func lost(handles []domain.Handle) []domain.Observation {
	seen := make([]domain.Observation, 0, len(handles))
	for _, handle := range handles {
		seen = append(seen, domain.Observation{TurnID: handle.TurnID, State: domain.RayUnknown})
	}
	return seen
}
