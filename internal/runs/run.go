package runs

import (
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Run is what Temporal itself knows about one run of a deliberation. Pending is empty in lists.
type Run struct {
	ID, RunID string
	Info      *workflowpb.WorkflowExecutionInfo
	Pending   []*workflowpb.PendingActivityInfo
}

func (r Run) execution() workflow.Execution { return workflow.Execution{ID: r.ID, RunID: r.RunID} }

func (r Run) Open() bool {
	status := r.Info.GetStatus()
	return status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

type knownStatus struct {
	name   string
	status enumspb.WorkflowExecutionStatus
}

// statuses maps Temporal's words for the status of a run to ours.
var statuses = []knownStatus{
	{"running", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING},
	{"completed", enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
	{"failed", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED},
	{"cancelled", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
	{"terminated", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED},
	{"timed_out", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT},
}

// StatusNames returns the statuses by which a list can be filtered.
func StatusNames() []string {
	return domain.Each(statuses, func(known knownStatus) string { return known.name })
}

// StatusName returns the run's status in our words. A paused run counts as running.
func (r Run) StatusName() string {
	if r.Open() {
		return "running"
	}
	for _, known := range statuses {
		if known.status == r.Info.GetStatus() {
			return known.name
		}
	}
	return strings.ToLower(r.Info.GetStatus().String())
}

// Role returns the council's role; empty for a run that was refused before it had one.
func (r Run) Role() string { return r.about(contract.AttributeRole, contract.MemoRole) }

// TaskID returns the task's id; empty for a run that was refused before it had one.
func (r Run) TaskID() string { return r.about(contract.AttributeTaskID, contract.MemoTaskID) }

// about reads a search attribute, or the memo if the namespace lacks the attribute.
func (r Run) about(key temporal.SearchAttributeKey, memo string) string {
	var text string
	if r.attribute(key, &text) && text != "" {
		return text
	}
	return r.Memo(memo)
}

func (r Run) Memo(key string) string {
	var value any
	if !r.memo(key, &value) {
		return ""
	}
	return fmt.Sprint(value)
}

// Score returns the score of the best proposal; nil if there is none.
func (r Run) Score() *float64 {
	var score float64
	if !r.attribute(contract.AttributeScore, &score) && !r.memo(contract.MemoScore, &score) {
		return nil
	}
	return &score
}

func (r Run) attribute(key temporal.SearchAttributeKey, into any) bool {
	payload, there := r.Info.GetSearchAttributes().GetIndexedFields()[key.GetName()]
	return there && converter.GetDefaultDataConverter().FromPayload(payload, into) == nil
}

func (r Run) memo(key string, into any) bool {
	payload, there := r.Info.GetMemo().GetFields()[key]
	return there && converter.GetDefaultDataConverter().FromPayload(payload, into) == nil
}
