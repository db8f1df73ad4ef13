package domain

import (
	"fmt"
	"time"
)

// EventKind is what an event is news of. Append only: consumers know them.
type EventKind string

// The events of a deliberation, in the order in which they can come. StreamStart is best effort.
const (
	EventStarted        EventKind = "started"
	EventStreamStart    EventKind = "stream_start"
	EventAgentCompleted EventKind = "agent_completed"
	EventAgentFailed    EventKind = "agent_failed"
	EventCompleted      EventKind = "completed"
	EventFailed         EventKind = "failed"
	EventCancelled      EventKind = "cancelled"
)

// BestEffort tells an event that is dropped rather than waited for.
func (k EventKind) BestEffort() bool { return k == EventStreamStart }

// Event is news about a deliberation: never truth, which is in Temporal.
type Event struct {
	ID             string
	Kind           EventKind
	DeliberationID string
	AgentID        string // of stream_start, whose subject names the agent
	At             time.Time
	Data           []byte // encoded; the domain doesn't look inside
	Brief          []byte // the same without long texts, for a receiver that takes no more; it may equal Data
}

// EventID is `<deliberation id>/<run id>/<number>-<event>`, the key of an event for its consumers.
func EventID(deliberationID, runID string, number int, kind EventKind) string {
	return fmt.Sprintf("%s/%s/%d-%s", deliberationID, runID, number, kind)
}

// OutsideEventID is the id of the event that tells of a run's end from outside. It is the same whoever
// tells it, and no run gives it: those are numbered.
func OutsideEventID(deliberationID, runID string, kind EventKind) string {
	return fmt.Sprintf("%s/%s/outside-%s", deliberationID, runID, kind)
}
