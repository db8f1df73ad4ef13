package terminal

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/untrusted"
)

const (
	quietMost  = 10 * time.Second // between two lines
	reasonMost = 80               // characters of the reason for another attempt
)

// Progress shows an open run with a line for each change.
type Progress struct {
	out    io.Writer
	begun  time.Time
	wrote  time.Time         // the last line
	latest map[string]string // the last line about each thing
}

// NewProgress begins to show a run.
func NewProgress(out io.Writer) *Progress {
	return &Progress{out: out, begun: time.Now(), wrote: time.Now(), latest: map[string]string{}}
}

// Show shows the state of the run. Call it about every second.
func (p *Progress) Show(v runs.View) {
	p.waits(v)
	p.Agents(v)
	if time.Since(p.wrote) >= quietMost {
		p.line(p.summary(v))
	}
}

// Agents shows the agents that an event has changed.
func (p *Progress) Agents(v runs.View) {
	p.phase(v.Asked)
	for _, agent := range v.Agents {
		if agent.Trouble != "" && strings.HasSuffix(v.WaitingFor, agent.Trouble) {
			agent.Trouble = "" // the line about the whole council names it
		}
		p.agent(agent)
	}
	for _, agent := range v.Done {
		p.agent(agent)
	}
}

func (p *Progress) agent(agent runs.AgentView) {
	if agent.Attempt > 0 { // before the first attempt there is nothing to show
		p.once("agent "+agent.AgentID, agentLine(agent))
	}
}

// phase names each later phase, in which the agents begin again.
func (p *Progress) phase(phase domain.Phase) {
	switch phase.Kind {
	case domain.PeerReview, domain.Revise:
		p.once("phase", fmt.Sprintf("%s, round %d", phase.Kind, phase.Round))
	case domain.Synthesize:
		p.once("phase", string(phase.Kind))
	case domain.Propose: // the first phase
	}
}

// waits writes what the council waits for. It writes each cause once, until the council no longer waits.
func (p *Progress) waits(v runs.View) {
	const about = "waiting for "
	if v.WaitingFor == "" {
		maps.DeleteFunc(p.latest, func(thing, _ string) bool { return strings.HasPrefix(thing, about) })
		return
	}
	p.once(about+v.WaitingFor, about+untrusted.Inline(v.WaitingFor))
}

// Away writes once that Temporal doesn't answer.
func (p *Progress) Away(address string) {
	p.once("temporal", fmt.Sprintf("temporal at %q does not answer; still waiting", address))
}

// Back records that Temporal answers again.
func (p *Progress) Back() { delete(p.latest, "temporal") }

func (p *Progress) once(about, line string) {
	if p.latest[about] != line {
		p.latest[about] = line
		p.line(line)
	}
}

func (p *Progress) line(line string) {
	p.wrote = time.Now()
	fmt.Fprintln(p.out, line)
}

func (p *Progress) summary(v runs.View) string {
	tokens := 0
	for _, agent := range v.Agents {
		tokens += agent.Tokens
	}
	elapsed := time.Since(p.begun).Round(time.Second)
	line := fmt.Sprintf("%s · %s · %d of %s done", elapsed, untrusted.Inline(v.Phase), v.Settled(), domain.Count(len(v.Agents), "agent"))
	if tokens > 0 {
		line += fmt.Sprintf(" · %d tokens so far", tokens)
	}
	return line
}

func agentLine(agent runs.AgentView) string {
	line := fmt.Sprintf("%s · %s · %s · attempt %d",
		untrusted.Inline(agent.AgentID), untrusted.Inline(agent.Role), untrusted.Inline(string(agent.State)), agent.Attempt)
	if agent.After != "" {
		line += " · after " + text.Snip(untrusted.Inline(agent.After), reasonMost, "…")
	}
	if agent.Failure != "" {
		line += " · " + text.Snip(untrusted.Inline(agent.Failure), reasonMost, "…")
	}
	if agent.Trouble != "" {
		line += " · " + untrusted.Inline(agent.Trouble)
	}
	return line
}
