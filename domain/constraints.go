package domain

import (
	"maps"
	"slices"
	"time"
)

// Defaults and bounds of [TaskConstraints].
const (
	DefaultTimeoutSeconds      = 300
	DefaultMaxRetries          = 3
	DefaultQueueTimeoutSeconds = 3600

	mostSeconds       = 86400
	mostRetries       = 20
	mostMetadata      = 32
	mostMetadataBytes = 1 << 10 // of each pair
)

// TaskConstraints bound a deliberation, and name the story and the plan that its task is part of.
type TaskConstraints struct{ spec ConstraintsSpec }

func (c TaskConstraints) StoryID() string             { return c.spec.StoryID }
func (c TaskConstraints) PlanID() string              { return c.spec.PlanID }
func (c TaskConstraints) Timeout() time.Duration      { return inSeconds(c.spec.TimeoutSeconds) }
func (c TaskConstraints) MaxRetries() int             { return c.spec.MaxRetries }
func (c TaskConstraints) QueueTimeout() time.Duration { return inSeconds(c.spec.QueueTimeoutSeconds) }
func (c TaskConstraints) Metadata() map[string]string { return maps.Clone(c.spec.Metadata) }

func inSeconds(n int) time.Duration { return time.Duration(n) * time.Second }

// MayRetry reports whether an assignment is tried again after this many failed attempts.
func (c TaskConstraints) MayRetry(failures int) bool { return failures <= c.spec.MaxRetries }

// ConstraintsSpec holds the parts of [TaskConstraints]. It has no defaults: the reader of a request fills in
// absent fields.
type ConstraintsSpec struct {
	StoryID             string
	PlanID              string
	TimeoutSeconds      int               // from the first accepted submission to the deadline
	MaxRetries          int               // how often a failed attempt is tried again
	QueueTimeoutSeconds int               // how long a deliberation may wait for room on Ray
	Metadata            map[string]string // the caller's labels of the task, which the service doesn't interpret
}

func (s ConstraintsSpec) check(faults *Faults) {
	faults.required("constraints.story_id", s.StoryID, MaxName)
	faults.required("constraints.plan_id", s.PlanID, MaxName)
	faults.within("constraints.timeout_seconds", s.TimeoutSeconds, 1, mostSeconds)
	faults.within("constraints.max_retries", s.MaxRetries, 0, mostRetries)
	faults.within("constraints.queue_timeout_seconds", s.QueueTimeoutSeconds, 1, mostSeconds)
	if len(s.Metadata) > mostMetadata {
		faults.Add("constraints.metadata", "must have at most %d pairs, got %d", mostMetadata, len(s.Metadata))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Metadata)) {
		if size := EncodedSize(key) + EncodedSize(s.Metadata[key]); size > mostMetadataBytes {
			faults.Add("constraints.metadata["+Quote(key)+"]", "must be at most %d bytes in JSON with its key, got %d", mostMetadataBytes, size)
		}
	}
}

func (s ConstraintsSpec) constraints() TaskConstraints {
	s.Metadata = maps.Clone(s.Metadata)
	return TaskConstraints{s}
}
