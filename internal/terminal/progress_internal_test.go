package terminal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

func viewOfOne(state domain.AgentState, tokens int) runs.View {
	return runs.View{
		Status: contract.Status{Phase: "propose", Status: domain.StatusRunning},
		Agents: []runs.AgentView{{
			AgentStatus: contract.AgentStatus{AgentID: "agent-dev-001", Role: "DEV", State: state, Attempt: 1}, Tokens: tokens,
		}},
	}
}

func TestProgressIsALinePerChange(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out)
	p.Show(viewOfOne(domain.AgentSubmitted, 0))
	p.Show(viewOfOne(domain.AgentSubmitted, 5)) // tokens alone are no line
	p.Agents(viewOfOne(domain.AgentCompleted, 0))
	require.Equal(t, "agent-dev-001 · DEV · submitted · attempt 1\nagent-dev-001 · DEV · completed · attempt 1\n", out.String())
}

func TestProgressNamesEachLaterPhaseOnce(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out)
	for _, phase := range []domain.Phase{
		{Kind: domain.Propose},
		{Kind: domain.PeerReview, Round: 1},
		{Kind: domain.PeerReview, Round: 1},
		{Kind: domain.Revise, Round: 1},
		{Kind: domain.PeerReview, Round: 2},
		{Kind: domain.Synthesize},
	} {
		p.Show(runs.View{Asked: phase})
	}
	require.Equal(t, "review, round 1\nrevise, round 1\nreview, round 2\nsynthesize\n", out.String())
}

func TestProgressSaysHowTheChairEnded(t *testing.T) {
	for history, want := range map[string]string{
		"synthesized":  "synthesize\nchair · CHAIR · waiting · attempt 1\nchair · CHAIR · submitted · attempt 1\nchair · CHAIR · completed · attempt 1\n",
		"chair_failed": "synthesize\nchair · CHAIR · waiting · attempt 1\nchair · CHAIR · submitted · attempt 1\nchair · CHAIR · failed · attempt 1 · ModelRejected: it broke\n",
	} {
		t.Run(history, func(t *testing.T) {
			var out bytes.Buffer
			p, timeline := NewProgress(&out), runs.NewTimeline()
			for _, event := range fakes.ReadHistory(t, "../../workflows/testdata/histories/"+history+fakes.HistorySuffix).GetEvents() {
				timeline.Take(event)
				p.Agents(runs.OpenView(runs.Run{}, timeline))
			}
			require.True(t, strings.HasSuffix(out.String(), want), out.String())
		})
	}
}

func TestProgressNamesACauseOnce(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out)
	waiting := func(cause string) runs.View {
		v := viewOfOne(domain.AgentSubmitted, 0)
		v.Agents[0].Trouble, v.WaitingFor = cause, "local: "+cause
		return v
	}
	for _, cause := range []string{"refused", "reset", "refused", "reset"} {
		p.Show(waiting(cause))
	}
	require.Equal(t, []string{
		"waiting for local: refused", "agent-dev-001 · DEV · submitted · attempt 1", "waiting for local: reset", "",
	}, strings.Split(out.String(), "\n"))

	p.Show(viewOfOne(domain.AgentSubmitted, 0)) // it answers again
	out.Reset()
	p.Show(waiting("refused"))
	require.Equal(t, "waiting for local: refused\n", out.String())
}

func TestProgressSaysWhyThereIsAnotherAttempt(t *testing.T) {
	agent := viewOfOne(domain.AgentSubmitted, 0).Agents[0]
	agent.Attempt, agent.After = 2, "ModelUnavailable: "+strings.Repeat("no answer ", 20)
	require.True(t, strings.HasPrefix(agentLine(agent), "agent-dev-001 · DEV · submitted · attempt 2 · after ModelUnavailable: no answer no"))
	require.LessOrEqual(t, len([]rune(agentLine(agent))), 55+reasonMost)
}

func TestProgressIsNeverSilentForLong(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out)
	p.Show(viewOfOne(domain.AgentSubmitted, 0))
	out.Reset()
	p.wrote = time.Now().Add(-quietMost)
	p.Show(viewOfOne(domain.AgentSubmitted, 12))
	p.Show(viewOfOne(domain.AgentSubmitted, 12))
	require.Equal(t, "0s · propose · 0 of 1 agent done · 12 tokens so far\n", out.String())
}

func TestALiveViewIsNoTallerThanItsTerminal(t *testing.T) {
	var out bytes.Buffer
	live := &Live{out: &out, size: func() (width, height int) { return 80, 3 }}
	require.NoError(t, live.Draw([]string{"one", "two", "three", "four"}))
	require.Equal(t, "one\ntwo\n", out.String())
	out.Reset()
	require.NoError(t, live.Draw([]string{"five"}))
	require.Equal(t, "\x1b[2A\x1b[Jfive\n", out.String())
}
