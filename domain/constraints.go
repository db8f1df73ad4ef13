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
type TaskConstraints struct {
	storyID      string
	planID       string
	timeout      time.Duration     // from the first accepted submission to the deadline
	maxRetries   int               // how often a failed attempt is tried again
	queueTimeout time.Duration     // how long a deliberation may wait for room on Ray
	metadata     map[string]string // the caller's labels of the task, which the service doesn't interpret
}

func (c TaskConstraints) StoryID() string             { return c.storyID }
func (c TaskConstraints) PlanID() string              { return c.planID }
func (c TaskConstraints) Timeout() time.Duration      { return c.timeout }
func (c TaskConstraints) MaxRetries() int             { return c.maxRetries }
func (c TaskConstraints) QueueTimeout() time.Duration { return c.queueTimeout }
func (c TaskConstraints) Metadata() map[string]string { return maps.Clone(c.metadata) }

// ConstraintsSpec holds the parts of [TaskConstraints]. It has no defaults: the reader of a request fills in
// absent fields.
type ConstraintsSpec struct {
	StoryID             string
	PlanID              string
	TimeoutSeconds      int
	MaxRetries          int
	QueueTimeoutSeconds int
	Metadata            map[string]string
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
	return TaskConstraints{
		storyID:      s.StoryID,
		planID:       s.PlanID,
		timeout:      time.Duration(s.TimeoutSeconds) * time.Second,
		maxRetries:   s.MaxRetries,
		queueTimeout: time.Duration(s.QueueTimeoutSeconds) * time.Second,
		metadata:     maps.Clone(s.Metadata),
	}
}

// MayRetry reports whether an assignment is tried again after this many failed attempts.
func (c TaskConstraints) MayRetry(failures int) bool { return failures <= c.maxRetries }
