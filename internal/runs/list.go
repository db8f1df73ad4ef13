package runs

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/workflows/contract"
)

// PageMost is the largest page that Temporal lists.
const PageMost = 1000

// Filter is a list of conditions in Temporal's query language. A run matches if all of them hold.
type Filter []string

// Deliberations is the filter that finds every deliberation.
func Deliberations() Filter {
	return Filter{fmt.Sprintf("WorkflowType='%s'", contract.DeliberationName)}
}

// Is adds the condition that an attribute has a value. An empty value adds nothing.
func (f Filter) Is(attribute, value string) Filter {
	if value == "" {
		return f
	}
	return append(f, fmt.Sprintf("%s='%s'", attribute, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)))
}

// HasStatus adds the condition that a run has a status of [StatusNames]; any other name adds nothing.
func (f Filter) HasStatus(name string) Filter {
	for _, known := range statuses {
		if known.name == name {
			return f.Is("ExecutionStatus", known.status.String())
		}
	}
	return f
}

// From adds the condition that a time isn't before t. The zero time adds nothing.
func (f Filter) From(attribute string, t time.Time) Filter {
	if t.IsZero() {
		return f
	}
	return append(f, fmt.Sprintf("%s>='%s'", attribute, t.UTC().Format(time.RFC3339Nano)))
}

// Since adds the condition that a run started or ended since t. It also names the status: an open run has no close
// time, but some visibility stores compare it as if it had one.
func (f Filter) Since(t time.Time) Filter {
	if t.IsZero() {
		return f
	}
	return append(f, fmt.Sprintf("(%s OR (ExecutionStatus!='Running' AND %s))", Filter{}.From("StartTime", t), Filter{}.From("CloseTime", t)))
}

func (f Filter) String() string { return strings.Join(f, " AND ") }

// List yields the runs that match, page by page: first the open ones, then the ended ones, the latest first. After an
// error it yields nothing more.
func (r Reader) List(ctx context.Context, where Filter, page int) iter.Seq2[Run, error] {
	return func(yield func(Run, error) bool) {
		request := &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: r.Namespace, PageSize: int32(min(page, PageMost)), Query: where.String(), //nolint:gosec // within 1000
		}
		for {
			listed, err := r.ListWorkflow(ctx, request)
			if err != nil {
				yield(Run{}, err)
				return
			}
			for _, info := range listed.GetExecutions() {
				if !yield(Run{ID: info.GetExecution().GetWorkflowId(), RunID: info.GetExecution().GetRunId(), Info: info}, nil) {
					return
				}
			}
			if request.NextPageToken = listed.GetNextPageToken(); len(request.NextPageToken) == 0 {
				return
			}
		}
	}
}
