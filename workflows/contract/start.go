package contract

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/untrusted"
)

// StartOptions change how [Start] starts. The zero value is right for most callers.
type StartOptions struct {
	TaskQueue string // DefaultTaskQueue when empty
	Rerun     bool   // start a closed deliberation again, also a completed one
}

// Started is a deliberation that was started or attached to.
type Started struct {
	Run      client.WorkflowRun
	Attached bool // it was running or had completed before
}

// DifferentRequestError says that another request was started under this task id.
type DifferentRequestError struct {
	DeliberationID string
	RunID          string
	Fields         []string // what differs, by path
}

func (e *DifferentRequestError) Error() string {
	return fmt.Sprintf("%s is another request; these fields differ: %s", e.DeliberationID, strings.Join(e.Fields, ", "))
}

// Start starts the deliberation of the request's task, or attaches to the one that runs or has completed. A failed,
// cancelled or timed-out one is started again. The error is [domain.Faults] if the request breaks a rule, a
// [*DifferentRequestError] if another request has the same task id, or else the client's error.
func Start(ctx context.Context, c client.Client, request Request, options StartOptions) (Started, error) {
	parsed, err := request.Parse()
	if err != nil {
		return Started{}, err
	}
	return parsed.Start(ctx, c, options)
}

// OpeningMemo returns what lists show of a deliberation before its end. The starter writes it too, so that lists have
// it while no worker has taken the run up.
func OpeningMemo(request domain.DeliberationRequest) map[string]any {
	return map[string]any{MemoTaskID: request.TaskID(), MemoRole: request.Role(), MemoAgents: len(request.Agents())}
}

// Start does the same as [Start] for a request that was parsed before.
func (p Parsed) Start(ctx context.Context, c client.Client, options StartOptions) (Started, error) {
	id := WorkflowID(p.Domain.TaskID())
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	if options.Rerun {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: id, TaskQueue: cmp.Or(options.TaskQueue, DefaultTaskQueue), StaticSummary: OneLine(p.Domain.Title()),
		Memo:                  OpeningMemo(p.Domain),
		WorkflowIDReusePolicy: reuse,
		// Otherwise the client would return an existing run as if it were a new one.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, DeliberationName, json.RawMessage(p.Text))

	if existing, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return p.attach(ctx, c, id, existing.RunId)
	}
	return Started{Run: run}, err
}

func (p Parsed) attach(ctx context.Context, c client.Client, id, runID string) (Started, error) {
	there, err := Recorded(ctx, c, id, runID)
	if err != nil {
		return Started{}, err
	}
	found, err := there.Parse()
	if err != nil {
		return Started{}, fmt.Errorf("%s was started with a request that breaks a rule: %w", id, err)
	}
	if fields := differences(found.Normalised, p.Normalised); len(fields) > 0 {
		return Started{}, &DifferentRequestError{DeliberationID: id, RunID: runID, Fields: fields}
	}
	return Started{Run: c.GetWorkflow(ctx, id, runID), Attached: true}, nil
}

// OneLine turns a title into a static summary, which the Web UI shows as markdown: one line of at most 200 bytes.
func OneLine(title string) string {
	cut, _ := domain.CutEncoded(untrusted.Markdown(title), domain.MaxName)
	return cut
}

// differences returns the paths at which two requests differ. In both, the defaults are filled in.
func differences(a, b NormalisedRequest) []string {
	left, right := flattened(a), flattened(b)
	for path, value := range left {
		if other, there := right[path]; there && other == value {
			delete(left, path)
			delete(right, path)
		}
	}
	maps.Copy(left, right)
	return slices.Sorted(maps.Keys(left))
}

func flattened(request NormalisedRequest) map[string]string {
	flat := map[string]string{}
	text, err := json.Marshal(request)
	if err != nil {
		return flat
	}
	var tree any
	if json.Unmarshal(text, &tree) != nil {
		return flat
	}
	flatten("", tree, flat)
	return flat
}

func flatten(path string, value any, into map[string]string) {
	switch typed := value.(type) {
	case map[string]any:
		for name, inner := range typed {
			flatten(join(path, name), inner, into)
		}
	case []any:
		for i, inner := range typed {
			flatten(fmt.Sprintf("%s[%d]", path, i), inner, into)
		}
	default:
		into[path] = fmt.Sprint(typed)
	}
}
