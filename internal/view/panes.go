package view

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/untrusted"
)

// wide is the least width for two panes side by side.
const wide = 100

// paneLeast is the height of a pane with one line of text.
const paneLeast = 2

// silent is what a pane shows while its agent says nothing.
type silent struct {
	text   string
	column column
}

// grid says where the panes stand. A line of panes has one or two of them.
type grid struct {
	columns, width int
	first, shown   int // lines of panes
	height, rows   int // of one pane, and of all
}

// columns returns how many panes stand side by side.
func (m Model) columns() int {
	if m.width >= wide && len(m.seen.View.Agents) > 1 {
		return 2
	}
	return 1
}

// paneWidth returns the width of a pane's text. It leaves a blank between two panes.
func (m Model) paneWidth() int { return m.width/m.columns() - 1 }

// gridOf fills the rows with one pane for each agent, as many as fit. The selected one is always among them.
func (m Model) gridOf(rows int) grid {
	g := grid{columns: m.columns(), width: m.width / m.columns(), rows: rows}
	lines := (len(m.seen.View.Agents) + g.columns - 1) / g.columns
	if rows < paneLeast || lines == 0 {
		return g
	}
	g.shown = min(lines, rows/paneLeast)
	g.first = min(max(0, m.selected/g.columns-g.shown+1), lines-g.shown)
	g.height = rows / g.shown
	return g
}

// heightOf returns the height of the panes in a line. The last line also takes the rest.
func (g grid) heightOf(line int) int {
	if line == g.first+g.shown-1 {
		return g.rows - g.height*(g.shown-1)
	}
	return g.height
}

func (m Model) panes(rows int) []string {
	g, agents := m.gridOf(rows), m.seen.View.Agents
	if g.shown == 0 {
		return make([]string, max(0, rows))
	}
	var out []string
	for line := g.first; line < g.first+g.shown; line++ {
		row := make([]string, g.heightOf(line))
		for i := line * g.columns; i < min(len(agents), (line+1)*g.columns); i++ {
			for y, text := range m.pane(i, g.width-1, len(row)) {
				row[y] = padded(row[y], (i-line*g.columns)*g.width) + text
			}
		}
		out = append(out, row...)
	}
	return out
}

// pane returns the title of an agent and a part of its text: the end, unless the person has scrolled.
func (m Model) pane(i, width, height int) []string {
	agent, body := m.seen.View.Agents[i], m.body(i)
	top, below := m.top(m.place(agent), len(body), height-1)
	title := m.title(agent, m.spoken(agent))
	if below > 0 {
		title = fmt.Sprintf("%s below · %s", domain.Count(below, "line"), title)
	}
	title = ansi.Truncate(title, width, "…")
	if i == m.selected {
		title = inverse + title + plain
	} else {
		title = bold + title + plain
	}
	lines := make([]string, height)
	lines[0] = title
	copy(lines[1:], body[top:])
	return lines
}

// body returns all rows of an agent's text.
func (m Model) body(i int) []string {
	agent := m.seen.View.Agents[i]
	if spoken := m.spoken(agent); !spoken.column.empty() {
		return spoken.column.shown()
	}
	return m.silents[agent.AgentID].column.shown()
}

// spoken returns what the agent says in its current turn, or has said in this phase: after a review or a revision, its
// status names the turn of its proposal again.
func (m Model) spoken(agent runs.AgentView) voice {
	spoken, now := m.voices[agent.AgentID], m.seen.View
	done := agent.State == domain.AgentCompleted && spoken.phase != string(domain.Propose)
	if done && spoken.phase == now.Phase && spoken.round == now.Round || spoken.turn == domain.TurnID(agent.SubmissionID) {
		return spoken
	}
	return voice{}
}

// laidOut wraps the texts whose width has changed, and the texts of agents that say nothing.
func (m Model) laidOut() Model {
	width := m.paneWidth()
	voices := maps.Clone(m.voices)
	for agent, spoken := range voices {
		if spoken.column.width != width {
			voices[agent] = spoken.laidOut(width)
		}
	}
	silents := make(map[string]silent, len(m.seen.View.Agents))
	for _, agent := range m.seen.View.Agents {
		now := silent{text: cmp.Or(agent.Failure, agent.Trouble, agent.After, m.proposal(agent.AgentID))}
		if before := m.silents[agent.AgentID]; before.text == now.text && before.column.width == width {
			now = before
		} else {
			now.column = column{width: width}.add(now.text)
		}
		silents[agent.AgentID] = now
	}
	m.voices, m.silents = voices, silents
	return m
}

// proposal returns the proposal of an agent that says nothing now.
func (m Model) proposal(agent string) string {
	for _, result := range m.seen.Result.Results {
		if result.AgentID == agent {
			return result.Proposal
		}
	}
	return ""
}

func (m Model) title(agent runs.AgentView, spoken voice) string {
	parts := []string{untrusted.Inline(agent.AgentID), untrusted.Inline(agent.Role), untrusted.Inline(string(agent.State))}
	if agent.Attempt > 0 {
		parts = append(parts, fmt.Sprintf("attempt %d", agent.Attempt))
	}
	if tokens := max(agent.Tokens, spoken.tokens); tokens > 0 {
		parts = append(parts, fmt.Sprintf("%d tokens", tokens))
	}
	if pace := spoken.pace(); pace > 0 {
		parts = append(parts, fmt.Sprintf("%.0f tokens/s", pace))
	}
	return strings.Join(parts, " · ")
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// place returns the key under which a scrolled pane is remembered. Each turn has its own, and begins at its end.
func (m Model) place(agent runs.AgentView) string {
	return cmp.Or(string(m.spoken(agent).turn), agent.SubmissionID, agent.AgentID)
}

// top returns the first row that a pane shows, and how many rows are below the pane. A pane shows the end of its text
// unless the person has scrolled.
func (m Model) top(place string, rows, height int) (top, below int) {
	end := max(0, rows-height)
	top, scrolled := m.tops[place]
	if !scrolled {
		return end, 0
	}
	top = min(top, end)
	return top, end - top
}

// scroll moves the selected pane. Once it is at its end, it follows its text again.
func (m Model) scroll(to func(top, end, page int) int) Model {
	if len(m.seen.View.Agents) == 0 {
		return m
	}
	_, _, room := m.parts()
	g := m.gridOf(room)
	page := max(1, g.heightOf(m.selected/g.columns)-1)
	place := m.place(m.seen.View.Agents[m.selected])
	top, below := m.top(place, len(m.body(m.selected)), page)
	end := top + below
	next := to(top, end, page)
	tops := maps.Clone(m.tops)
	if next >= end {
		delete(tops, place)
	} else {
		tops[place] = max(0, next)
	}
	m.tops = tops
	return m
}

// scrolling is what keys do to the selected pane.
var scrolling = map[string]func(top, end, page int) int{
	"up":     func(top, _, _ int) int { return top - 1 },
	"k":      func(top, _, _ int) int { return top - 1 },
	"down":   func(top, _, _ int) int { return top + 1 },
	"j":      func(top, _, _ int) int { return top + 1 },
	"pgup":   func(top, _, page int) int { return top - page },
	"pgdown": func(top, _, page int) int { return top + page },
	"home":   func(_, _, _ int) int { return 0 },
	"end":    func(_, end, _ int) int { return end },
}
