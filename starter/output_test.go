package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

func TestWhatAModelWroteCannotSteerTheTerminal(t *testing.T) {
	require.Equal(t, "\uFFFD[2Jgone \uFFFD]0;title\uFFFD \uFFFDabc\n\ttab", printable("\x1b[2Jgone \x1b]0;title\x07 \u202eabc\r\n\ttab"))
	require.Equal(t, "两行 ok 🙂", printable("两行 ok 🙂"))
}

func TestOpeningShowsTheFirstLines(t *testing.T) {
	require.Equal(t, "one\ntwo …", strings.TrimRight(opening("\n one \n\n two\nthree", 2, 60), " "))
	require.Equal(t, "one", strings.TrimRight(opening("one", 2, 60), " "))
	require.Equal(t, "0123…", opening("0123456789", 2, 5))
}

func seen(state domain.AgentState, tokens int) view {
	status := contract.Status{Phase: "propose", Status: domain.StatusRunning}
	return view{Status: status, Agents: []agentView{{
		AgentStatus: contract.AgentStatus{AgentID: "agent-dev-001", Role: "DEV", State: state, Attempt: 1}, Tokens: tokens,
	}}}
}

func TestProgressIsALinePerChange(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stderr: &out}).newProgress()
	p.show(seen(domain.AgentSubmitted, 0))
	p.show(seen(domain.AgentSubmitted, 5)) // tokens alone are no line
	p.agents(seen(domain.AgentCompleted, 0))
	require.Equal(t, "agent-dev-001 · DEV · submitted · attempt 1\nagent-dev-001 · DEV · completed · attempt 1\n", out.String())
}

func TestProgressTellsACauseOnceAndWithoutTheTurn(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stderr: &out}).newProgress()
	for _, trouble := range []string{"poll t1: refused", "poll t1: read tcp 10.0.0.1:41000->10.0.0.2:8000: reset", "poll t1: refused", "poll t1: read tcp 10.0.0.1:41002->10.0.0.2:8000: reset"} {
		v := seen(domain.AgentSubmitted, 0)
		v.Agents[0].Cluster, v.Agents[0].SubmissionID = "local", "t1"
		v.polled("t1", 0, trouble)
		v.waits()
		p.show(v)
	}
	require.Equal(t, []string{
		"waiting for local: poll: refused", "agent-dev-001 · DEV · submitted · attempt 1",
		"waiting for local: poll: read tcp 10.0.0.2:8000: reset", "",
	}, strings.Split(out.String(), "\n"))

	p.show(seen(domain.AgentSubmitted, 0)) // it answers again
	out.Reset()
	v := seen(domain.AgentSubmitted, 0)
	v.WaitingFor = "local: poll: refused"
	p.show(v)
	require.Equal(t, "waiting for local: poll: refused\n", out.String())
}

func TestAWorkerThatDiedIsSaidInWords(t *testing.T) {
	silence := &failurepb.Failure{Message: "activity Heartbeat timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
		TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: enumspb.TIMEOUT_TYPE_HEARTBEAT},
	}}
	require.Equal(t, "its worker fell silent; another one takes it over", troubleOf(&workflowpb.PendingActivityInfo{LastFailure: silence}))
	require.Equal(t, "no", troubleOf(&workflowpb.PendingActivityInfo{LastFailure: &failurepb.Failure{Message: "no"}}))
}

func TestProgressSaysWhyThereIsAnotherAttempt(t *testing.T) {
	timeline := newTimeline()
	timeline.last["agent-dev-001"] = pastTurn{attempt: 1, reason: "ModelUnavailable: " + strings.Repeat("no answer ", 20), tokens: 3}
	v := seen(domain.AgentSubmitted, 0)
	v.account(timeline)
	require.Empty(t, v.Agents[0].After, "it is still the first attempt that is shown")

	v.Agents[0].Attempt = 2
	v.account(timeline)
	require.True(t, strings.HasPrefix(agentLine(v.Agents[0]), "agent-dev-001 · DEV · submitted · attempt 2 · after ModelUnavailable: no answer no"))
	require.LessOrEqual(t, len([]rune(agentLine(v.Agents[0]))), 55+reasonMost)
	require.Zero(t, v.Agents[0].Tokens, "tokens of a turn that runs are its heartbeat's")
}

func TestAnAgentThatHasEndedShowsItsTokens(t *testing.T) {
	timeline := newTimeline()
	timeline.last["agent-dev-001"] = pastTurn{attempt: 1, tokens: 40}
	v := seen(domain.AgentCompleted, 0)
	v.account(timeline)
	require.Equal(t, 40, v.Agents[0].Tokens)
}

func TestNoAgentIsAtWorkOnceItsRunIsOver(t *testing.T) {
	for _, c := range []struct {
		state  domain.AgentState
		failed bool
		run    domain.DeliberationStatus
		want   domain.AgentState
	}{
		{domain.AgentCompleted, false, domain.StatusCancelled, domain.AgentCompleted},
		{domain.AgentSubmitted, true, domain.StatusCompleted, domain.AgentFailed},
		{domain.AgentSubmitted, false, domain.StatusCancelled, agentCancelled},
		{domain.AgentWaiting, false, domain.StatusCancelled, agentCancelled},
		{domain.AgentSubmitted, false, domain.StatusFailed, agentUnknown},
	} {
		require.Equal(t, c.want, stateAtEnd(c.state, c.failed, c.run))
	}
}

func TestTheHeadlineLeavesTheFailuresToTheirList(t *testing.T) {
	end := ending{status: domain.StatusFailed, errorType: "DeliberationFailed", message: "0 of 1 agent gave a proposal, 1 needed; a: ModelRejected: no; not; now"}
	end.details.Failures = []contract.AgentFailure{{AgentID: "a"}}
	require.Equal(t, "failed: DeliberationFailed: 0 of 1 agent gave a proposal, 1 needed", end.words())
}

func TestAttemptsThatWereLostAreSaid(t *testing.T) {
	failures := []contract.AgentFailure{
		{ErrorType: domain.LostRepeatedly, Attempts: 4},
		{ErrorType: domain.StillRunning, Attempts: 1}, // stopped, perhaps before its call
	}
	require.Equal(t, 6, attempts([]contract.AgentResult{{Attempts: 2}}, failures))

	for lost, want := range map[int]string{
		0: "wasted\n", 1: "\n1 attempt was lost with its runner; its cost is unknown\n",
		2: "\n2 attempts were lost with their runner; their cost is unknown\n",
	} {
		var out bytes.Buffer
		(&cli{stdout: &out}).printUsage(contract.TotalUsage{LLMCalls: 3}, 3+lost)
		require.True(t, strings.HasSuffix(out.String(), want), out.String())
	}
}

func TestARequestThatTheWorkflowRefusedIsBadUsage(t *testing.T) {
	require.Equal(t, exitUsage, ending{errorType: string(domain.InvalidRequest)}.code())
	require.Equal(t, exitFailed, ending{errorType: string(domain.DeliberationFailed)}.code())
}

func TestProgressIsNeverSilentForLong(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stderr: &out}).newProgress()
	p.show(seen(domain.AgentSubmitted, 0))
	out.Reset()
	p.spoke = time.Now().Add(-quietMost)
	p.show(seen(domain.AgentSubmitted, 12))
	p.show(seen(domain.AgentSubmitted, 12))
	require.Equal(t, "0s · propose · 0 of 1 agent done · 12 tokens so far\n", out.String())
}

func TestProgressOnATerminalIsDrawnInPlace(t *testing.T) {
	var out bytes.Buffer
	p := (&cli{stderr: &out}).newProgress()
	p.width = func() int { return 30 }
	p.show(seen(domain.AgentSubmitted, 5))
	lines := strings.Split(out.String(), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, "  agent-dev-001 · DEV · subm…", lines[1], "a line never wraps")
	out.Reset()
	p.show(seen(domain.AgentSubmitted, 6))
	require.True(t, strings.HasPrefix(out.String(), "\x1b[2A\x1b[J"), "%q", out.String())
	out.Reset()
	p.clear()
	require.Equal(t, "\x1b[2A\x1b[J", out.String())
}

func TestShellWord(t *testing.T) {
	require.Equal(t, "deliberation-team/a:1", shellWord("deliberation-team/a:1"))
	require.Equal(t, `'a b'`, shellWord("a b"))
	require.Equal(t, `'it'\''s'`, shellWord("it's"))
}
