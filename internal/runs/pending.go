package runs

import (
	"cmp"
	"regexp"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

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
