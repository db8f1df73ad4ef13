package contract

import (
	"go.temporal.io/sdk/temporal"
)

// Names are wire format: they travel in histories and callers use them. Append only.
const (
	DeliberationName       = "Deliberation"
	DeliberationOutboxName = "DeliberationOutbox"
	DeliberationStatsName  = "DeliberationStats"

	// StatsID is the workflow id of the one DeliberationStats of a namespace.
	StatsID = "deliberation-stats"

	QueryStatus     = "status"
	QueryJob        = "job"
	QueryStats      = "stats"
	QueryActiveJobs = "active_jobs"
	UpdateRefresh   = "refresh"
	UpdateStopNow   = "stop_now"

	ActivitySubmitTurns        = "SubmitTurns"
	ActivityAwaitTurn          = "AwaitTurn"
	ActivityStopTurns          = "StopTurns"
	ActivityPublishEvents      = "PublishEvents"
	ActivityCloseDeliberation  = "CloseDeliberation"
	ActivityCountDeliberations = "CountDeliberations"

	// DefaultTaskQueue is where deliberations are started.
	DefaultTaskQueue = "deliberations"
)

// SubmitQueue returns the task queue in which councils wait to be submitted to Ray. Waiting in Temporal costs Ray
// nothing.
func SubmitQueue(taskQueue string) string { return taskQueue + "-submit" }

// WaitQueue returns the task queue in which turns are waited for, and later turns submitted. Its slots bound how many
// turns a worker waits for at the same time.
func WaitQueue(taskQueue string) string { return taskQueue + "-wait" }

// WorkflowID returns the deliberation id that [Start] gives to a task.
func WorkflowID(taskID string) string { return "deliberation-" + taskID }

// Memo keys. Lists show the memo of a deliberation, for which they need no query.
const (
	MemoTaskID        = "task_id"
	MemoRole          = "role"
	MemoAgents        = "agents"
	MemoOutcome       = "outcome"
	MemoBest          = "best_agent"
	MemoScore         = "score"
	MemoError         = "error"
	MemoExecutionTime = "execution_time_ms"
	MemoUsageByPhase  = "usage_by_phase"
)

// Search attributes filter lists. The namespace may lack some; these aren't upserted, because an unknown one
// would hang the workflow.
var (
	AttributeRole    = temporal.NewSearchAttributeKeyKeyword("DeliberationRole")
	AttributeTaskID  = temporal.NewSearchAttributeKeyKeyword("DeliberationTaskId")
	AttributeStoryID = temporal.NewSearchAttributeKeyKeyword("DeliberationStoryId")
	AttributePlanID  = temporal.NewSearchAttributeKeyKeyword("DeliberationPlanId")
	AttributeScore   = temporal.NewSearchAttributeKeyFloat64("DeliberationScore")
)

// Attributes are all search attributes.
func Attributes() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		AttributeRole, AttributeTaskID, AttributeStoryID, AttributePlanID, AttributeScore,
	}
}
