package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
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
	status := workflows.Status{Phase: "propose", Status: domain.StatusRunning}
	return view{Status: status, Agents: []agentView{{
		AgentStatus: workflows.AgentStatus{AgentID: "agent-dev-001", Role: "DEV", State: state, Attempt: 1}, Tokens: tokens,
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
