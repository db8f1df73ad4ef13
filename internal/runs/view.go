package runs

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// AnswersWithin is how long a query waits for a worker.
const AnswersWithin = 2 * time.Second

// View is a deliberation's status, and what the workflow itself can't know: the progress of its activities, and an end
// from outside.
type View struct {
	contract.Status

	Agents  []AgentView `json:"agents"`
	Warning string      `json:"warning,omitempty"`

	Asked domain.Phase `json:"-"` // what the latest submit is for, which may wait for room
	Done  []AgentView  `json:"-"` // the judge and the chair of an open run, once they are no longer at work

	TaskID    string `json:"-"`
	Role      string `json:"-"`
	TaskQueue string `json:"-"`
}

// AgentView is the status of one agent, with the progress of its turn.
type AgentView struct {
	contract.AgentStatus

	Tokens  int    `json:"tokens,omitempty"`
	Trouble string `json:"trouble,omitempty"` // why its turn makes no progress
	After   string `json:"after,omitempty"`   // why the previous attempt gave no answer
	Failure string `json:"failure,omitempty"` // why it failed
}

// Settled returns the number of agents of which nothing more is expected.
func (v *View) Settled() int {
	done := 0
	for _, agent := range v.Agents {
		if agent.State.Settled() {
			done++
		}
	}
	return done
}

// States of agents that were at work when their run ended.
const (
	agentCancelled domain.AgentState = "cancelled"
	agentUnknown   domain.AgentState = "unknown" // the run was ended from outside, and Ray wasn't asked
)

func (r Reader) View(ctx context.Context, run Run) (View, error) {
	t, err := r.Timeline(ctx, run)
	if err != nil {
		return View{}, err
	}
	if t.Ended() {
		return closedView(run, t)
	}
	status, err := r.queryStatus(ctx, run)
	if err != nil {
		v := OpenView(run, t)
		v.Warning = fmt.Sprintf("no worker answered within %s; this is what Temporal itself knows", AnswersWithin)
		return v, ctx.Err()
	}
	v := viewOf(run, status)
	v.addHistory(t)
	v.addPending(t, run.Pending)
	return v, nil
}

func (r Reader) queryStatus(ctx context.Context, run Run) (contract.Status, error) {
	asking, cancel := context.WithTimeout(ctx, AnswersWithin)
	defer cancel()
	var status contract.Status
	answer, err := r.QueryWorkflow(asking, run.ID, run.RunID, contract.QueryStatus)
	if err != nil {
		return status, err
	}
	err = answer.Get(&status)
	return status, err
}

func viewOf(run Run, status contract.Status) View {
	return View{
		Status: status, TaskID: run.Memo(contract.MemoTaskID), Role: run.Memo(contract.MemoRole), TaskQueue: run.Info.GetTaskQueue(),
		Agents: domain.Each(status.Agents, func(agent contract.AgentStatus) AgentView { return AgentView{AgentStatus: agent} }),
	}
}

func agentView(seat domain.Seat) AgentView {
	return AgentView{AgentStatus: contract.AgentStatusOf(seat), Failure: failureOf(seat)}
}

// failureOf returns why the agent failed; empty if it didn't.
func failureOf(seat domain.Seat) string {
	if seat.State() != domain.AgentFailed {
		return ""
	}
	return because(string(seat.Failure().Kind()), seat.Failure().Message())
}

// OpenView returns the view of an open run without asking a worker.
func OpenView(run Run, t *Timeline) View {
	v := viewOf(run, t.status(run.ID))
	v.Asked, v.Done = t.asked, domain.Each(t.council.Retired(), agentView)
	if !t.taken {
		v.Status.Status, v.WaitingFor = domain.StatusSubmitted, fmt.Sprintf("a worker on task queue %q", v.TaskQueue)
	}
	v.addHistory(t)
	v.addPending(t, run.Pending)
	return v
}

// status returns the run's status by its history.
func (t *Timeline) status(id string) contract.Status {
	started := t.started.UTC()
	status := contract.Status{
		DeliberationID: id, Status: domain.StatusRunning, Phase: t.phase, Round: t.round, StartedAt: &started, AsOf: time.Now().UTC(),
	}
	status.Agents = contract.AgentStatusesOf(t.council)
	return status
}

// closedView returns the view of a run that has ended, by its last event.
func closedView(run Run, t *Timeline) (View, error) {
	end, err := t.Ending(run.ID)
	if err != nil {
		return View{}, err
	}
	status := t.status(run.ID)
	status.Status, status.ClosedAt, status.Result = end.Status, &end.At, end.Result.BestResult
	if end.Message != "" {
		status.ErrorMessage = &end.Message
	}
	failed := map[string]string{}
	for _, failure := range append(end.Result.Failures, end.Details.Failures...) {
		failed[failure.AgentID] = because(string(failure.ErrorType), failure.Message)
	}
	v := viewOf(run, status)
	for i := range v.Agents {
		agent := &v.Agents[i]
		agent.State = stateAtEnd(agent.State, failed[agent.AgentID] != "", end.Status)
		agent.Failure = failed[agent.AgentID]
	}
	v.addHistory(t)
	return v, nil
}

// stateAtEnd returns the state of an agent whose run has ended. No agent is at work any more.
func stateAtEnd(state domain.AgentState, failed bool, run domain.DeliberationStatus) domain.AgentState {
	switch {
	case state.Settled():
		return state
	case failed:
		return domain.AgentFailed
	case run == domain.StatusCancelled:
		return agentCancelled
	}
	return agentUnknown
}

// addHistory adds the turns that have ended.
func (v *View) addHistory(t *Timeline) {
	for i := range v.Agents {
		agent := &v.Agents[i]
		last := t.last[agent.AgentID]
		atWork := agent.State == domain.AgentWaiting || agent.State == domain.AgentSubmitted
		switch {
		case !atWork:
			agent.Tokens = last.tokens
			if seat, known := t.council.Seat(agent.AgentID); known && agent.State == domain.AgentFailed {
				agent.Failure = cmp.Or(agent.Failure, failureOf(seat))
			}
		case agent.Attempt > last.attempt:
			agent.After = last.reason
		}
	}
}

// nameTrouble shows the first agent's trouble, in request order, as what the council waits for.
func (v *View) nameTrouble() {
	for _, agent := range v.Agents {
		if agent.Trouble != "" && v.WaitingFor == "" {
			v.WaitingFor = because(cmp.Or(agent.Cluster, "Ray"), agent.Trouble)
		}
	}
}

// addPending adds the progress and the trouble of the run's pending activities.
func (v *View) addPending(t *Timeline, pending []*workflowpb.PendingActivityInfo) {
	for _, activity := range pending {
		trouble := troubleOf(activity)
		switch activity.GetActivityType().GetName() {
		case contract.ActivitySubmitTurns:
			var progress contract.SubmitProgress
			decoded(activity.GetHeartbeatDetails(), &progress)
			v.WaitingFor = because(cmp.Or(progress.Cluster, v.WaitingFor, "Ray"), cmp.Or(progress.Refusal, trouble))
		case contract.ActivityAwaitTurn:
			var progress contract.AwaitProgress
			decoded(activity.GetHeartbeatDetails(), &progress)
			v.polled(t.polled[activity.GetActivityId()], progress.Tokens, cmp.Or(progress.Trouble, trouble))
		}
	}
	v.nameTrouble()
}

// troubleOf returns why Temporal tries the activity again. It replaces Temporal's words for a worker that died, which
// are hard to understand.
func troubleOf(activity *workflowpb.PendingActivityInfo) string {
	failure := activity.GetLastFailure()
	if failure.GetTimeoutFailureInfo().GetTimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT {
		return "its worker fell silent; another one takes it over"
	}
	return failure.GetMessage()
}

// polled adds the progress of a turn to its agent.
func (v *View) polled(turn domain.TurnID, tokens int, trouble string) {
	for i := range v.Agents {
		if agent := &v.Agents[i]; agent.SubmissionID == string(turn) && agent.State == domain.AgentSubmitted {
			agent.Tokens, agent.Trouble = tokens, withoutDetails(turn, trouble)
		}
	}
}

// ownPort matches the client's end of a connection, whose port differs each time.
var ownPort = regexp.MustCompile(`(read|write) tcp \S+->`)

// withoutDetails removes turn ids and ports, so that the same trouble has the same words for all turns and tries.
func withoutDetails(turn domain.TurnID, trouble string) string {
	return ownPort.ReplaceAllString(strings.ReplaceAll(trouble, " "+string(turn), ""), "$1 tcp ")
}
