//go:build integration

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	temporalworker "go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"deliberation.io/deliberation/activities"
	"deliberation.io/deliberation/activities/ray"
	"deliberation.io/deliberation/activities/ray/raytest"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// atOnce is how many deliberations of a crowd run at the same time. Held ones come on top.
const atOnce = 8

// day is the timeout of held deliberations, in seconds: a busy machine needs long for the others.
const day = 86400

// crowd is many deliberations in a namespace of their own. Everything is real but Ray.
type crowd struct {
	space

	queue   string
	gate    chan struct{} // closing it lets the model named held answer
	members []member
}

// member is one deliberation of a crowd.
type member struct {
	id string
	course
}

// course is how a deliberation goes.
type course struct {
	share   int    // how many of a hundred
	model   string // of its agent
	fault   bool   // its request is refused
	seconds int    // its timeout; 0: the default
	most    time.Duration
	then    func(*crowd, context.Context, client.WorkflowRun) error
	held    bool // it doesn't end before the gate is closed, or never
	status  enumspb.WorkflowExecutionStatus
}

var courses = []course{
	{share: 40, model: "good", status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
	{share: 5, model: "held", held: true, seconds: day, status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
	{share: 2, model: "held", held: true, seconds: day, then: (*crowd).reset, status: enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED},
	{share: 8, model: "rejects", status: enumspb.WORKFLOW_EXECUTION_STATUS_FAILED},
	{share: 20, fault: true, status: enumspb.WORKFLOW_EXECUTION_STATUS_FAILED},
	{share: 1, model: "hangs", seconds: 1, status: enumspb.WORKFLOW_EXECUTION_STATUS_FAILED},
	{share: 8, model: "hangs", then: (*crowd).cancel, status: enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED},
	{share: 8, model: "hangs", then: (*crowd).terminate, status: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED},
	{share: 7, model: "hangs", most: 2 * time.Second, status: enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT},
	{share: 1, model: "hangs", held: true, seconds: day, status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING},
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{space: newSpace(t, "crowd"), queue: "crowd", gate: make(chan struct{})}
	app := standInForRay(t)
	app.Answer("held", raytest.Held(c.gate, raytest.Proposal("at last", 0.5)))
	cluster, err := ray.New(ray.Config{Name: "local", URL: app.URL, Token: app.Token})
	require.NoError(t, err)
	c.work(t, cluster)
	return c
}

// Settings makes the crowd an environment without our search attributes.
func (c *crowd) Settings() domain.Settings {
	return domain.Settings{Clusters: []domain.ClusterState{{Name: "local"}}}
}

func (c *crowd) work(t *testing.T, cluster domain.RayCluster) {
	t.Helper()
	add := func(queue string) temporalworker.Worker {
		return temporalworker.New(c.Client, queue, temporalworker.Options{
			DisableRegistrationAliasing: true, DeadlockDetectionTimeout: stack.Patience,
			WorkflowTaskPollerBehavior: temporalworker.NewPollerBehaviorAutoscaling(temporalworker.PollerBehaviorAutoscalingOptions{}),
			ActivityTaskPollerBehavior: temporalworker.NewPollerBehaviorAutoscaling(temporalworker.PollerBehaviorAutoscalingOptions{}),
		})
	}
	main, submit, wait := add(c.queue), add(contract.SubmitQueue(c.queue)), add(contract.WaitQueue(c.queue))
	workflows.Register(main, c)
	activities.Register(activities.Workers{Main: main, Submit: submit, Wait: wait}, activities.Dependencies{
		Clusters: map[string]domain.RayCluster{"local": cluster}, Temporal: c, Owner: c.name,
	})
	for _, each := range []temporalworker.Worker{main, submit, wait} {
		require.NoError(t, each.Start())
		t.Cleanup(each.Stop)
	}
}

// gather starts deliberations, and returns when all that end by themselves have ended.
func (c *crowd) gather(t *testing.T, size int) {
	t.Helper()
	for n := range size {
		at := n % 100
		for _, course := range courses {
			if at -= course.share; at < 0 {
				c.members = append(c.members, member{fmt.Sprintf("crowd-%d", n), course})
				break
			}
		}
	}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(atOnce)
	for _, member := range c.members {
		group.Go(func() error { return c.runs(ctx, member) })
	}
	require.NoError(t, group.Wait())
}

func (c *crowd) runs(ctx context.Context, m member) error {
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: m.id, TaskQueue: c.queue, WorkflowExecutionTimeout: m.most,
	}, contract.DeliberationName, m.request())
	if err != nil {
		return err
	}
	if m.then != nil {
		if err := m.then(c, ctx, run); err != nil {
			return fmt.Errorf("%s: %w", m.id, err)
		}
	}
	if !m.held {
		_ = run.Get(ctx, nil) // how it ended is read later
	}
	return ctx.Err()
}

func (m member) request() contract.Request {
	request := requestFor(m.id, m.model)
	if m.seconds > 0 {
		request.Constraints.TimeoutSeconds = &m.seconds
	}
	if m.fault {
		request.Constraints.StoryID, request.Agents = "", nil
	}
	return request
}

// cancel cancels a run whose turn runs, so that it has paid for a call.
func (c *crowd) cancel(ctx context.Context, run client.WorkflowRun) error {
	events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for waits := false; !waits; {
		event, err := events.Next()
		if err != nil {
			return err
		}
		waits = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == "AwaitTurn"
	}
	return c.CancelWorkflow(ctx, run.GetID(), run.GetRunID())
}

func (c *crowd) terminate(ctx context.Context, run client.WorkflowRun) error {
	return c.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), "enough")
}

// reset resets a run to its first workflow task: this run ends, and another one goes on.
func (c *crowd) reset(ctx context.Context, run client.WorkflowRun) error {
	const task = 4
	events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for done := false; !done; {
		event, err := events.Next()
		if err != nil {
			return err
		}
		done = event.GetEventId() == task
	}
	_, err := c.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: c.name, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason: "a better day", WorkflowTaskFinishEventId: task, RequestId: run.GetID(),
	})
	return err
}
