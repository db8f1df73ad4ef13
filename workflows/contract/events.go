package contract

import (
	"encoding/json"
	"time"

	"deliberation.io/deliberation/domain"
)

// EventRecord is an event on its way to NATS.
type EventRecord struct {
	ID             string           `json:"id"`
	Kind           domain.EventKind `json:"kind"`
	DeliberationID string           `json:"deliberation_id"`
	AgentID        string           `json:"agent_id,omitempty"`
	At             time.Time        `json:"at"`
	Data           json.RawMessage  `json:"data"`
}

// Size returns an upper bound of the record's bytes in a payload.
func (e EventRecord) Size() int {
	const rest = 200 // names, punctuation, kind, time
	return len(e.Data) + domain.EncodedSize(e.ID) + domain.EncodedSize(e.DeliberationID) +
		domain.EncodedSize(e.AgentID) + rest
}

// PublishEventsInput is events in order. TaskDescription is given once, for the events that show it.
type PublishEventsInput struct {
	TaskDescription string        `json:"task_description,omitempty"`
	Events          []EventRecord `json:"events"`
}

// PublishEventsResult says how many were stored.
type PublishEventsResult struct {
	Stored int `json:"stored"`
}

// StartedEvent is the data of `started`.
type StartedEvent struct {
	DeliberationID string                    `json:"deliberation_id"`
	RunID          string                    `json:"run_id"`
	TaskID         string                    `json:"task_id"`
	Role           string                    `json:"role"`
	StoryID        string                    `json:"story_id"`
	PlanID         string                    `json:"plan_id"`
	Status         domain.DeliberationStatus `json:"status"`
	Agents         []EventAgent              `json:"agents"`
	StartedAt      time.Time                 `json:"started_at"`
}

// EventAgent names a member of the council.
type EventAgent struct {
	AgentID string `json:"agent_id"`
	Role    string `json:"role"`
	Model   string `json:"model"`
}

// StreamStartEvent is the data of `stream_start`.
type StreamStartEvent struct {
	TaskDescription string `json:"task_description,omitempty"` // filled in where it is published
	Role            string `json:"role"`
	Status          string `json:"status"`
	Model           string `json:"model"`
	DeliberationID  string `json:"deliberation_id"`
	AgentID         string `json:"agent_id"`
}

// AgentCompletedEvent is the data of `agent_completed`.
type AgentCompletedEvent struct {
	DeliberationID string `json:"deliberation_id"`
	TaskID         string `json:"task_id"`
	AgentProposal
}

// AgentCompletedEventOf maps a proposal.
func AgentCompletedEventOf(deliberationID, taskID string, result domain.DeliberationResult) AgentCompletedEvent {
	return AgentCompletedEvent{DeliberationID: deliberationID, TaskID: taskID, AgentProposal: agentProposalOf(result)}
}

// AgentFailedEvent is the data of `agent_failed`.
type AgentFailedEvent struct {
	DeliberationID string             `json:"deliberation_id"`
	TaskID         string             `json:"task_id"`
	AgentID        string             `json:"agent_id"`
	Role           string             `json:"role"`
	ErrorType      domain.FailureKind `json:"error_type"`
	Message        string             `json:"message"`
	Attempts       int                `json:"attempts"`
}

// ScoreboardEvent is the short form of `completed`. The whole data is [Result], which Temporal has.
type ScoreboardEvent struct {
	DeliberationID  string                    `json:"deliberation_id"`
	TaskID          string                    `json:"task_id"`
	Status          domain.DeliberationStatus `json:"status"`
	RankingBasis    domain.RankingBasis       `json:"ranking_basis"`
	Degraded        bool                      `json:"degraded"`
	Scores          []EventScore              `json:"scores"`
	TotalAgents     int                       `json:"total_agents"`
	CompletedAgents int                       `json:"completed_agents"`
	FailedAgents    int                       `json:"failed_agents"`
	AverageScore    float64                   `json:"average_score"`
	ExecutionTimeMS int64                     `json:"execution_time_ms"`
	ResultRef       ResultRef                 `json:"result_ref"`
}

// EventScore is a place in the ranking.
type EventScore struct {
	Rank    int     `json:"rank"`
	AgentID string  `json:"agent_id"`
	Score   float64 `json:"score"`
}

// ResultRef names the workflow run that has the whole result.
type ResultRef struct {
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
}

// EndedEvent is the data of `failed` and `cancelled`.
type EndedEvent struct {
	DeliberationID  string                    `json:"deliberation_id"`
	TaskID          string                    `json:"task_id"`
	Status          domain.DeliberationStatus `json:"status"`
	ErrorType       domain.FailureKind        `json:"error_type"`
	Message         string                    `json:"message"`
	Failures        []AgentFailure            `json:"failures"`
	ExecutionTimeMS int64                     `json:"execution_time_ms"`
}

// PhaseStartedEvent is the data of `phase_started`.
type PhaseStartedEvent struct {
	DeliberationID string           `json:"deliberation_id"`
	TaskID         string           `json:"task_id"`
	Phase          domain.PhaseKind `json:"phase"`
	Round          int              `json:"round"`
	Turns          int              `json:"turns"`
}

// ReviewedEvent is the data of `reviewed`: one review, or why there is none.
type ReviewedEvent struct {
	DeliberationID string `json:"deliberation_id"`
	TaskID         string `json:"task_id"`
	ReviewRecord

	Candidates []Candidate `json:"candidates"` // in the reviewer's order
}

// RevisedEvent is the data of `revised`: one revision, or why there is none.
type RevisedEvent struct {
	DeliberationID string             `json:"deliberation_id"`
	TaskID         string             `json:"task_id"`
	AgentID        string             `json:"agent_id"`
	Round          int                `json:"round"`
	Proposal       string             `json:"proposal,omitempty"`
	Reasoning      string             `json:"reasoning,omitempty"`
	ErrorType      domain.FailureKind `json:"error_type,omitempty"`
	Message        string             `json:"message,omitempty"`
}

// Saying is the next part of what a turn says, for watchers. It is best effort: nothing depends on it.
type Saying struct {
	DeliberationID string        `json:"deliberation_id"`
	AgentID        string        `json:"agent_id"`
	TurnID         domain.TurnID `json:"submission_id"`
	Phase          string        `json:"phase"`
	Round          int           `json:"round"`
	Attempt        int           `json:"attempt"`
	Kind           string        `json:"kind"`     // start, text or complete
	Sequence       int           `json:"sequence"` // counts the turn's messages from 1; a gap means that text was dropped
	Tokens         int           `json:"tokens"`   // of the turn so far
	Text           string        `json:"text"`
	State          string        `json:"state,omitempty"` // of a complete turn
}
