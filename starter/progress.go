package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"

	"deliberation.io/deliberation/domain"
)

const (
	quietMost  = 10 * time.Second // between two lines
	agentsMost = 20               // lines of the live block
	reasonMost = 80               // characters of why there is another attempt
)

// progress shows a run on stderr: as a block that is drawn again on a terminal, else a line per change.
type progress struct {
	out   io.Writer
	width func() int // of the terminal; nil when out isn't one
	begun time.Time
	spoke time.Time
	drawn int // lines of the block
	said  map[string]string
}

func (c *cli) newProgress() *progress {
	p := &progress{out: c.stderr, begun: time.Now(), spoke: time.Now(), said: map[string]string{}}
	if file, is := terminal(c.stderr); is && os.Getenv("TERM") != "dumb" {
		p.width = func() int { return widthOf(file) }
	}
	return p
}

func widthOf(file *os.File) int {
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width < 2 {
		return 80
	}
	return width
}

func (p *progress) show(v view) {
	if p.width != nil {
		p.draw(v)
		return
	}
	p.tell(v)
}

// agents shows what an event has changed at once; a block is drawn again soon enough.
func (p *progress) agents(v view) {
	if p.width != nil {
		return
	}
	for _, agent := range v.Agents {
		if agent.Trouble != "" && strings.HasSuffix(v.WaitingFor, agent.Trouble) {
			agent.Trouble = "" // the line about the whole council tells it
		}
		if agent.Attempt > 0 { // before that there is nothing to say of it
			p.once("agent "+agent.AgentID, agentLine(agent))
		}
	}
}

// tell writes what has changed, and after a while that nothing has.
func (p *progress) tell(v view) {
	if v.WaitingFor != "" {
		// By its words: causes that take turns are told once each.
		p.once("waiting for "+v.WaitingFor, "waiting for "+inline(v.WaitingFor))
	} else {
		maps.DeleteFunc(p.said, func(about, _ string) bool { return strings.HasPrefix(about, "waiting for ") })
	}
	p.agents(v)
	if time.Since(p.spoke) >= quietMost {
		p.line("%s", p.summary(v))
	}
}

func (p *progress) once(about, words string) {
	if p.said[about] != words {
		p.said[about] = words
		p.line("%s", words)
	}
}

func (p *progress) line(format string, args ...any) {
	p.spoke = time.Now()
	fmt.Fprintf(p.out, format+"\n", args...)
}

func agentLine(agent agentView) string {
	line := fmt.Sprintf("%s · %s · %s", inline(agent.AgentID), inline(agent.Role), agent.State)
	if agent.Attempt > 0 {
		line += fmt.Sprintf(" · attempt %d", agent.Attempt)
	}
	if agent.After != "" {
		line += " · after " + text.Snip(inline(agent.After), reasonMost, "…")
	}
	if agent.Trouble != "" {
		line += " · " + inline(agent.Trouble)
	}
	return line
}

func (p *progress) summary(v view) string {
	done, tokens := 0, 0
	for _, agent := range v.Agents {
		tokens += agent.Tokens
		if agent.State == domain.AgentCompleted || agent.State == domain.AgentFailed {
			done++
		}
	}
	line := fmt.Sprintf("%s · %s · %d of %s done", time.Since(p.begun).Round(time.Second), v.Phase, done, domain.Count(len(v.Agents), "agent"))
	if tokens > 0 {
		line += fmt.Sprintf(" · %d tokens so far", tokens)
	}
	return line
}

func (p *progress) draw(v view) {
	lines := []string{p.summary(v)}
	if v.WaitingFor != "" {
		lines = append(lines, "  waiting for "+inline(v.WaitingFor))
	}
	for i, agent := range v.Agents {
		if i == agentsMost {
			lines = append(lines, fmt.Sprintf("  and %d more", len(v.Agents)-i))
			break
		}
		line := "  " + agentLine(agent)
		if agent.Tokens > 0 {
			line += fmt.Sprintf(" · %d tokens", agent.Tokens)
		}
		lines = append(lines, line)
	}
	p.clear()
	width := p.width()
	for i, line := range lines {
		// A line that wraps would take two of the rows that the next drawing goes back.
		lines[i] = strings.TrimRight(text.Snip(line, width-1, "…"), " ")
	}
	p.drawn = len(lines)
	fmt.Fprintln(p.out, strings.Join(lines, "\n"))
}

// clear takes the block off the terminal.
func (p *progress) clear() {
	if p.drawn > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// away says, once, that Temporal doesn't answer; the wait goes on.
func (p *progress) away(address string) {
	p.clear()
	p.once("temporal", fmt.Sprintf("temporal at %q does not answer; still waiting", address))
}

// back notes that it answers again.
func (p *progress) back() { delete(p.said, "temporal") }
