package runs

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/workflows/contract"
)

// Reader reads the deliberations of one namespace.
type Reader struct {
	client.Client

	Namespace string
}

// NotFoundError says that no deliberation has this id.
type NotFoundError struct{ ID string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("deliberation %q not found", e.ID) }

// Find finds the latest run by its deliberation id or its task id.
func (r Reader) Find(ctx context.Context, id string) (Run, error) {
	for _, candidate := range []string{id, contract.WorkflowID(id)} {
		found, err := r.Describe(ctx, candidate, "")
		switch _, missing := errors.AsType[*serviceerror.NotFound](err); {
		case missing:
			continue
		case err != nil:
			return Run{}, err
		case found.Info.GetType().GetName() == contract.DeliberationName:
			return found, nil
		}
	}
	return r.findTask(ctx, id)
}

// findTask finds a task whose deliberation has a workflow id of the caller's own. It prefers an open run to the one that
// ended last. Without the search attribute in the namespace, it finds nothing.
func (r Reader) findTask(ctx context.Context, taskID string) (Run, error) {
	for found, err := range r.List(ctx, Deliberations().Is(contract.AttributeTaskID.GetName(), taskID), 1) {
		switch {
		case err == nil:
			return r.Describe(ctx, found.ID, found.RunID)
		case MayAnswerLater(err):
			return Run{}, err
		}
	}
	return Run{}, &NotFoundError{taskID}
}

// Describe asks Temporal for a run; an empty run id means the latest one.
func (r Reader) Describe(ctx context.Context, id, runID string) (Run, error) {
	described, err := r.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return Run{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	return Run{ID: id, RunID: info.GetExecution().GetRunId(), Info: info, Pending: described.GetPendingActivities()}, nil
}

// MayAnswerLater reports whether Temporal may answer if it is asked again.
func MayAnswerLater(err error) bool {
	_, unavailable := errors.AsType[*serviceerror.Unavailable](err)
	_, late := errors.AsType[*serviceerror.DeadlineExceeded](err)
	return unavailable || late || errors.Is(err, context.DeadlineExceeded)
}
