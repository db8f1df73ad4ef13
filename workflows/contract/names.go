package contract

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

// SubmitQueue is where councils wait to be put to Ray: in Temporal, at no cost to Ray.
func SubmitQueue(taskQueue string) string { return taskQueue + "-submit" }

// WaitQueue is where turns are waited for, and put to Ray again; its slots bound what a worker has in flight.
func WaitQueue(taskQueue string) string { return taskQueue + "-wait" }

// WorkflowID is the deliberation id of a task that [Start] starts.
func WorkflowID(taskID string) string { return "deliberation-" + taskID }

// Memo keys: what lists show of a deliberation without asking anybody.
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
