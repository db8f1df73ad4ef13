package domain

import (
	"fmt"
	"time"
)

// EventKind says what has happened. Append only: consumers know the kinds.
type EventKind string

// The events of a deliberation, in the order in which they can come.
const (
	EventStarted        EventKind = "started"
	EventStreamStart    EventKind = "stream_start"
	EventAgentCompleted EventKind = "agent_completed"
	EventAgentFailed    EventKind = "agent_failed"
	EventPhaseStarted   EventKind = "phase_started"
	EventReviewed       EventKind = "reviewed"
	EventRevised        EventKind = "revised"
	EventCompleted      EventKind = "completed"
	EventFailed         EventKind = "failed"
	EventCancelled      EventKind = "cancelled"
)

// BestEffort reports whether an event is dropped if it can't be stored now.
func (k EventKind) BestEffort() bool { return k == EventStreamStart }

// Begins reports whether an event belongs to the beginning of a phase. Its time is when Ray has accepted or refused the phase.
func (k EventKind) Begins() bool { return k == EventStreamStart || k == EventPhaseStarted }

// Event is news about a deliberation. The truth is in Temporal.
type Event struct {
	ID             string
	Kind           EventKind
	DeliberationID string
	AgentID        string // of stream_start, whose subject names the agent
	At             time.Time
	Data           []byte // encoded; the domain doesn't look inside
	ShortForm      []byte // the same without long texts, for a receiver that takes no more; it may equal Data
}

// EventID returns `<deliberation id>/<run id>/<number>-<event>`, by which consumers recognize a repeated event.
func EventID(deliberationID, runID string, number int, kind EventKind) string {
	return fmt.Sprintf("%s%d-%s", EventPrefix(deliberationID, runID), number, kind)
}

// EventPrefix is what the ids of a run's events begin with.
func EventPrefix(deliberationID, runID string) string { return deliberationID + "/" + runID + "/" }

// OutsideEventID returns the id of the event by which a worker announces that a run was ended from outside.
// Every worker gives it the same id. No run uses this id, since a run numbers its events.
func OutsideEventID(deliberationID, runID string, kind EventKind) string {
	return EventPrefix(deliberationID, runID) + "outside-" + string(kind)
}
