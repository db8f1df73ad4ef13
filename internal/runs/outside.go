package runs

import (
	"context"
	"encoding/json"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// resetter is the identity with which a Temporal server terminates a run that it resets.
const resetter = "history-resetter"

// OutsideEnd is the end of a run that was terminated or timed out. Such a run can't announce its end itself.
type OutsideEnd struct {
	Kind    domain.FailureKind // Terminated or TimedOut
	Message string
	At      time.Time
	Reset   bool // the deliberation continues in another run
}

// EndFromOutside reads a run's last event. It returns false if the run ended by itself.
func EndFromOutside(closing *historypb.HistoryEvent) (OutsideEnd, bool) {
	end := OutsideEnd{At: closing.GetEventTime().AsTime()}
	terminated := closing.GetWorkflowExecutionTerminatedEventAttributes()
	switch {
	case terminated != nil:
		end.Kind, end.Message = domain.Terminated, "terminated by somebody"
		if by := terminated.GetIdentity(); by != "" {
			end.Message = "terminated by " + by
		}
		if reason := terminated.GetReason(); reason != "" {
			end.Message += ": " + reason
		}
		end.Reset = terminated.GetIdentity() == resetter
	case closing.GetWorkflowExecutionTimedOutEventAttributes() != nil:
		end.Kind, end.Message = domain.TimedOut, "timed out: the run was longer than its workflow timeout"
	default:
		return OutsideEnd{}, false
	}
	end.Message, _ = domain.CutEncoded(end.Message, domain.MaxMessage)
	return end, true
}

// ReadOutsideEnd reads the end of a closed run from its last event.
func ReadOutsideEnd(ctx context.Context, from contract.History, run workflow.Execution) (OutsideEnd, bool, error) {
	for event, err := range events(ctx, from, run, lastEvent) {
		if err != nil {
			return OutsideEnd{}, false, err
		}
		if end, outside := EndFromOutside(event); outside {
			return end, true, nil
		}
	}
	return OutsideEnd{}, false, nil
}

// OutsideRun is a run that was ended from outside.
type OutsideRun struct {
	workflow.Execution

	TaskID  string
	Started time.Time
	End     OutsideEnd
}

// Starter starts workflows, as a Temporal client does.
type Starter interface {
	ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, name any, args ...any) (client.WorkflowRun, error)
}

// AnnounceOutside starts an outbox for the run's event `failed`, which publishes the event as soon as NATS takes
// it. The outbox has a derived id, so that calling this again does nothing.
func AnnounceOutside(ctx context.Context, c Starter, taskQueue string, run OutsideRun) error {
	event, err := run.event()
	if err != nil {
		return err
	}
	_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: contract.OutboxID(run.ID, run.RunID+"/outside"), TaskQueue: taskQueue, StaticSummary: contract.OneLine("events of " + run.ID),
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, contract.DeliberationOutboxName, contract.OutboxInput{Events: []contract.EventRecord{event}})
	return err
}

// event depends only on the run, so that every worker announces the same event.
func (r OutsideRun) event() (contract.EventRecord, error) {
	data, err := json.Marshal(contract.EndedEvent{
		DeliberationID: r.ID, TaskID: r.TaskID, Status: domain.StatusFailed, ErrorType: r.End.Kind,
		Message: r.End.Message, Failures: []contract.AgentFailure{}, // the failures of agents are only in the history
		ExecutionTimeMS: r.End.At.Sub(r.Started).Milliseconds(),
	})
	return contract.EventRecord{
		ID: domain.OutsideEventID(r.ID, r.RunID, domain.EventFailed), Kind: domain.EventFailed,
		DeliberationID: r.ID, At: r.End.At.UTC(), Data: data,
	}, err
}
