package workflows

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

	// Versions of what a run does, for those that began before it did so.
	versionFindAgain   = "find-turns-again" // 1: a council that comes back finds its turns
	versionTellOnce    = "tell-once"        // 1: an agent that has its proposal is told of no more
	versionShowRefusal = "show-refusal"     // 1: lists show why a request was refused
	versionShortOutbox = "short-outbox-id"  // 1: an outbox's id is one that every server's database takes
	versionChooseLate  = "choose-late"      // 1: a turn is chosen behind the delay, for where the council is by then
	versionFollowLast  = "follow-last-move" // 1: agents follow the council's last move as all others
	versionLateFirst   = "late-first"       // 1: what is heard of with the deadline is what the deadline ends

	// DefaultTaskQueue is where deliberations are started.
	DefaultTaskQueue = "deliberations"
)

// SubmitQueue is where councils wait to be put to Ray: in Temporal, at no cost to Ray.
func SubmitQueue(taskQueue string) string { return taskQueue + "-submit" }

// WaitQueue is where turns are waited for, and put to Ray again; its slots bound what a worker has in flight.
func WaitQueue(taskQueue string) string { return taskQueue + "-wait" }

// WorkflowID is the deliberation id of a task that [Start] starts.
func WorkflowID(taskID string) string { return "deliberation-" + taskID }
