//go:build integration

package chaos

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	inFlight     = 20 // subjects that a fault meets at least
	agentsAtMost = 3  // of one subject
)

// subject is one deliberation of an experiment.
type subject struct {
	request contract.Request
	run     client.WorkflowRun
	before  client.WorkflowRun // the run that announced the start, where a reset made another one go on
	mustEnd ending
	ended   ended
}

// begin plans and starts the subjects.
func (l *lab) begin(ends ending, edits ...func(*contract.Request)) {
	l.t.Helper()
	l.plan(ends, edits...)
	l.start()
}

// plan makes the subjects. The edits change their requests.
func (l *lab) plan(ends ending, edits ...func(*contract.Request)) {
	for range inFlight + l.chance.IntN(6) {
		l.subjects = append(l.subjects, l.planOne(ends, edits...))
	}
	if l.experiment.reviewed {
		l.holdReviews()
	}
}

func (l *lab) planOne(ends ending, edits ...func(*contract.Request)) *subject {
	request := stack.Request(l.t, l.council())
	request.Constraints.TimeoutSeconds = new(900) // beyond every experiment
	if l.experiment.reviewed {
		l.review(&request)
		if ends == endsCompleted {
			ends = endsReviewed
		}
	}
	for _, edit := range edits {
		edit(&request)
	}
	agents := len(request.Agents)
	l.turns, l.callsNeeded, l.answersNeeded = l.turns+agents, l.callsNeeded+agents, l.answersNeeded+agents
	return &subject{request: request, mustEnd: ends}
}

// council is two or three agents. The first one's answer outlasts the fault.
func (l *lab) council() []contract.Agent {
	models := []string{l.slowModel, l.quickModel, l.quickModel}
	return stack.Agents(models[:2+l.chance.IntN(agentsAtMost-1)]...)
}

// onlyModel makes all agents of a council ask one model.
func onlyModel(model string) func(r *contract.Request) {
	return func(r *contract.Request) { r.Agents = stack.Agents(slices.Repeat([]string{model}, len(r.Agents))...) }
}

// timeout and queueTimeout give a request bounds of its own, for a machine that others use too.
func timeout(quiet time.Duration) func(r *contract.Request) {
	return func(r *contract.Request) { r.Constraints.TimeoutSeconds = new(int(slower(quiet).Seconds())) }
}

func queueTimeout(quiet time.Duration) func(r *contract.Request) {
	return func(r *contract.Request) { r.Constraints.QueueTimeoutSeconds = new(int(slower(quiet).Seconds())) }
}

// start starts the planned subjects, as any client does.
func (l *lab) start() {
	l.t.Helper()
	for _, s := range l.subjects {
		run, err := stack.Temporal.ExecuteWorkflow(l.t.Context(), client.StartWorkflowOptions{
			ID: s.request.TaskID, TaskQueue: l.queue,
		}, contract.DeliberationName, s.request)
		require.NoError(l.t, err)
		l.started(s, run)
	}
}

func (l *lab) started(s *subject, run client.WorkflowRun) {
	s.run = run
	l.t.Cleanup(func() {
		_ = stack.Temporal.TerminateWorkflow(context.Background(), run.GetID(), "", "the experiment is over")
	})
}

// awaitAllInFlight waits until the models hold every turn once.
func (l *lab) awaitAllInFlight() {
	l.t.Helper()
	l.awaitOpenCalls(l.turns)
}

// awaitAnswering waits until all subjects are in flight, lets the models answer, and pauses. Most faults
// come right after it, while some turns are answered and others are not.
func (l *lab) awaitAnswering() {
	l.t.Helper()
	l.awaitAllInFlight()
	l.releaseModels()
	l.pause()
}

// awaitOpenCalls waits until the models work on exactly this many calls.
func (l *lab) awaitOpenCalls(open int) {
	l.t.Helper()
	l.awaitModels(func(c *assert.CollectT) { require.Equal(c, open, stack.CountOpen(l.calls(c))) })
}

func (l *lab) awaitOpenCallsAtLeast(open int) {
	l.t.Helper()
	l.awaitModels(func(c *assert.CollectT) { require.GreaterOrEqual(c, stack.CountOpen(l.calls(c)), open) })
}

func (l *lab) awaitModels(hold func(c *assert.CollectT)) {
	l.t.Helper()
	patience := time.Duration(float64(stack.Patience) * max(1, *chaosSlow))
	require.EventuallyWithT(l.t, hold, patience, 500*time.Millisecond, "the models hold the turns")
}
