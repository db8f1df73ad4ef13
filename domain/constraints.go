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

	maxTimeoutSeconds = 86400
	maxRetries        = 20
	maxMetadata       = 32
	maxMetadataPair   = 1 << 10
)

// TaskConstraints bound a deliberation and say what it is part of.
type TaskConstraints struct {
	storyID      string
	planID       string
	timeout      time.Duration
	maxRetries   int
	queueTimeout time.Duration
	metadata     map[string]string
}

// ConstraintsSpec is what [TaskConstraints] are made of. Nothing in it has a default: absent fields
// are filled where a request is read.
type ConstraintsSpec struct {
	StoryID             string
	PlanID              string
	TimeoutSeconds      int
	MaxRetries          int
	QueueTimeoutSeconds int
	Metadata            map[string]string
}

// NewTaskConstraints checks the spec; the error is [Faults] with paths relative to the constraints.
func NewTaskConstraints(spec ConstraintsSpec) (TaskConstraints, error) {
	var faults Faults
	faults.required("story_id", spec.StoryID, MaxName)
	faults.required("plan_id", spec.PlanID, MaxName)
	faults.within("timeout_seconds", spec.TimeoutSeconds, 1, maxTimeoutSeconds)
	faults.within("max_retries", spec.MaxRetries, 0, maxRetries)
	faults.within("queue_timeout_seconds", spec.QueueTimeoutSeconds, 1, maxTimeoutSeconds)
	if len(spec.Metadata) > maxMetadata {
		faults.Add("metadata", "must have at most %d pairs, got %d", maxMetadata, len(spec.Metadata))
	}
	for _, key := range slices.Sorted(maps.Keys(spec.Metadata)) {
		if size := EncodedSize(key) + EncodedSize(spec.Metadata[key]); size > maxMetadataPair {
			faults.Add("metadata["+Quote(key)+"]", "must be at most %d bytes in JSON with its key, got %d", maxMetadataPair, size)
		}
	}
	if err := faults.OrNil(); err != nil {
		return TaskConstraints{}, err
	}
	return restoreConstraints(spec), nil
}

func restoreConstraints(spec ConstraintsSpec) TaskConstraints {
	return TaskConstraints{
		storyID:      spec.StoryID,
		planID:       spec.PlanID,
		timeout:      time.Duration(spec.TimeoutSeconds) * time.Second,
		maxRetries:   spec.MaxRetries,
		queueTimeout: time.Duration(spec.QueueTimeoutSeconds) * time.Second,
		metadata:     maps.Clone(spec.Metadata),
	}
}

// StoryID names the story that the task is part of.
func (c TaskConstraints) StoryID() string { return c.storyID }

// PlanID names the plan that the task is part of.
func (c TaskConstraints) PlanID() string { return c.planID }

// Timeout runs from the first accepted submission to the deadline.
func (c TaskConstraints) Timeout() time.Duration { return c.timeout }

// QueueTimeout bounds the wait for room on Ray.
func (c TaskConstraints) QueueTimeout() time.Duration { return c.queueTimeout }

// MaxRetries is how often a turn that ran and failed is tried again; 0 is never.
func (c TaskConstraints) MaxRetries() int { return c.maxRetries }

// Metadata is the caller's own.
func (c TaskConstraints) Metadata() map[string]string { return maps.Clone(c.metadata) }

// MayRetry tells whether a turn that failed so many times may be tried again.
func (c TaskConstraints) MayRetry(failures int) bool { return failures <= c.maxRetries }
