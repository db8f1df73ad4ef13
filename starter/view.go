package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// askWithin is how long a query waits for a worker.
const askWithin = 2 * time.Second

// view is a deliberation's status, with what the workflow can't know: how its activities are doing, and
// how Temporal ended it.
type view struct {
	contract.Status
	Agents  []agentView `json:"agents"`
	Warning string      `json:"warning,omitempty"`

	taskID, role, queue string
}

// agentView is where one agent stands, with the progress of its turn.
type agentView struct {
	contract.AgentStatus
	Tokens  int    `json:"tokens,omitempty"`
	Trouble string `json:"trouble,omitempty"` // why its turn isn't seen to get on
	After   string `json:"after,omitempty"`   // why the attempt before came to nothing
}

// States of agents that were at work when their run was ended.
const (
	agentCancelled domain.AgentState = "cancelled"
	agentUnknown   domain.AgentState = "unknown" // ended from outside: nobody was asked
)

// view puts together what is known of an execution.
func (s server) view(ctx context.Context, e execution) (view, error) {
	t, err := s.timeline(ctx, e)
	if err != nil {
		return view{}, err
	}
	if t.closing != nil {
		return closedView(e, t)
	}
	status, err := s.ask(ctx, e)
	if err != nil {
		v := openView(e, t)
		v.Warning = fmt.Sprintf("no worker answered within %s; this is what Temporal itself knows", askWithin)
		return v, ctx.Err()
	}
	v := viewOf(e, status)
	v.merge(t, e.pending)
	return v, nil
}

// ask queries the workflow.
func (s server) ask(ctx context.Context, e execution) (contract.Status, error) {
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var status contract.Status
	answer, err := s.QueryWorkflow(asking, e.id, e.runID, contract.QueryStatus)
	if err != nil {
		return status, err
	}
	err = answer.Get(&status)
	return status, err
}

func viewOf(e execution, status contract.Status) view {
	v := view{
		Status: status, taskID: e.memo(contract.MemoTaskID), role: e.memo(contract.MemoRole), queue: e.info.GetTaskQueue(),
		Agents: make([]agentView, 0, len(status.Agents)),
	}
	for _, agent := range status.Agents {
		v.Agents = append(v.Agents, agentView{AgentStatus: agent})
	}
	return v
}

// openView is the view of a run that goes on, without its worker's word.
func openView(e execution, t *timeline) view {
	v := viewOf(e, statusOf(e, t))
	if !t.begun {
		v.Status.Status, v.WaitingFor = domain.StatusSubmitted, fmt.Sprintf("a worker on task queue %q", v.queue)
	}
	v.merge(t, e.pending)
	return v
}

func statusOf(e execution, t *timeline) contract.Status {
	started := t.started.UTC()
	status := contract.Status{
		DeliberationID: e.id, Status: domain.StatusRunning, Phase: t.phase, StartedAt: &started, AsOf: time.Now().UTC(),
	}
	for _, seat := range t.council.Seats() {
		status.Agents = append(status.Agents, contract.AgentStatus{
			AgentID: seat.Agent.ID(), Role: seat.Agent.Role(), Model: seat.Agent.Model(), State: seat.State,
			Attempt: seat.Attempt, SubmissionID: string(seat.TurnID), Cluster: seat.Cluster,
		})
	}
	return status
}

// closedView is the view of a run that has ended, by its last event.
func closedView(e execution, t *timeline) (view, error) {
	end, err := t.ending(e.id)
	if err != nil {
		return view{}, err
	}
	status := statusOf(e, t)
	status.Status, status.ClosedAt, status.Result = end.status, &end.at, end.result.BestResult
	if end.message != "" {
		status.ErrorMessage = &end.message
	}
	failed := map[string]bool{}
	for _, failure := range append(end.result.Failures, end.details.Failures...) {
		failed[failure.AgentID] = true
	}
	for i := range status.Agents {
		agent := &status.Agents[i]
		agent.State = stateAtEnd(agent.State, failed[agent.AgentID], end.status)
	}
	v := viewOf(e, status)
	v.account(t)
	return v, nil
}

// stateAtEnd is where an agent of a run that is over stands: nothing is at work any more.
func stateAtEnd(state domain.AgentState, failed bool, run domain.DeliberationStatus) domain.AgentState {
	switch {
	case state == domain.AgentCompleted || state == domain.AgentFailed:
		return state
	case failed:
		return domain.AgentFailed
	case run == domain.StatusCancelled:
		return agentCancelled
	}
	return agentUnknown
}

// account adds what the history tells of the turns that have ended.
func (v *view) account(t *timeline) {
	for i := range v.Agents {
		agent := &v.Agents[i]
		last := t.last[agent.AgentID]
		atWork := agent.State == domain.AgentWaiting || agent.State == domain.AgentSubmitted
		switch {
		case !atWork:
			agent.Tokens = last.tokens
		case agent.Attempt > last.attempt:
			agent.After = last.reason
		}
	}
}

// merge adds what the history and the pending activities' heartbeats and failures tell.
func (v *view) merge(t *timeline, pending []*workflowpb.PendingActivityInfo) {
	v.account(t)
	for _, activity := range pending {
		trouble := troubleOf(activity)
		switch activity.GetActivityType().GetName() {
		case contract.ActivitySubmitTurns:
			var progress contract.SubmitProgress
			if heartbeat(activity.GetHeartbeatDetails(), &progress) && progress.Refusal != "" {
				trouble = progress.Refusal
			}
			v.queued(progress.Cluster, trouble)
		case contract.ActivityAwaitTurn:
			var progress contract.AwaitProgress
			heartbeat(activity.GetHeartbeatDetails(), &progress)
			v.polled(t.polled[activity.GetActivityId()], progress.Tokens, first(progress.Trouble, trouble))
		}
	}
	v.waits()
}

// troubleOf is why the activity is tried again; that of a worker that died is Temporal's own words.
func troubleOf(activity *workflowpb.PendingActivityInfo) string {
	failure := activity.GetLastFailure()
	if failure.GetTimeoutFailureInfo().GetTimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT {
		return "its worker fell silent; another one takes it over"
	}
	return failure.GetMessage()
}

func heartbeat(details *commonpb.Payloads, into any) bool {
	return details != nil && decoded(details, into)
}

// queued says what the submission waits for.
func (v *view) queued(cluster, trouble string) {
	cluster = first(cluster, v.WaitingFor, "Ray")
	v.WaitingFor = because(cluster, trouble)
}

func (v *view) polled(turn domain.TurnID, tokens int, trouble string) {
	for i := range v.Agents {
		if agent := &v.Agents[i]; agent.SubmissionID == string(turn) && agent.State == domain.AgentSubmitted {
			agent.Tokens, agent.Trouble = tokens, cause(turn, trouble)
		}
	}
}

// waits says what the turns wait for: the first agent's trouble, in the council's own order.
func (v *view) waits() {
	for _, agent := range v.Agents {
		if agent.Trouble != "" && v.WaitingFor == "" {
			v.WaitingFor = because(first(agent.Cluster, "Ray"), agent.Trouble)
		}
	}
}

// ownPort is the near end of a connection: another one each time.
var ownPort = regexp.MustCompile(`(read|write) tcp \S+->`)

// cause is trouble without what is different for each turn and each try.
func cause(turn domain.TurnID, trouble string) string {
	return ownPort.ReplaceAllString(strings.ReplaceAll(trouble, " "+string(turn), ""), "$1 tcp ")
}
