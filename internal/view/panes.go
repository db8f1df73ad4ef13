package view

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/internal/terminal"
)

// wide is the least width for two panes side by side.
const wide = 100

// panes fills the rows with one pane for each agent, as many as fit. The selected one is always among them.
func (m Model) panes(rows int) []string {
	agents := m.seen.View.Agents
	if rows < paneLeast || len(agents) == 0 {
		return make([]string, max(0, rows))
	}
	columns := 1
	if m.width >= wide && len(agents) > 1 {
		columns = 2
	}
	lines := (len(agents) + columns - 1) / columns
	shown := min(lines, rows/paneLeast)
	first := min(max(0, m.selected/columns-shown+1), lines-shown)
	height := rows / shown
	width := m.width / columns
	var out []string
	for line := first; line < first+shown; line++ {
		own := height
		if line == first+shown-1 {
			own = rows - height*(shown-1)
		}
		row := make([]string, own)
		for i := line * columns; i < min(len(agents), (line+1)*columns); i++ {
			for y, text := range m.pane(i, width-1, own) {
				row[y] = padded(row[y], (i-line*columns)*width) + text
			}
		}
		out = append(out, row...)
	}
	return out
}

// pane returns the title of an agent and the end of its text.
func (m Model) pane(i, width, height int) []string {
	agent := m.seen.View.Agents[i]
	spoken := m.voices[agent.AgentID]
	if spoken.turn != agent.SubmissionID {
		spoken = voice{} // of an earlier turn
	}
	title := ansi.Truncate(m.title(agent, spoken), width, "…")
	if i == m.selected {
		title = inverse + title + plain
	} else {
		title = bold + title + plain
	}
	text := spoken.text
	if text == "" {
		text = cmp.Or(agent.Trouble, agent.After, m.proposal(agent.AgentID))
	}
	body := wrapped(text, width)
	lines := make([]string, height)
	lines[0] = title
	copy(lines[1:], body[max(0, len(body)-height+1):])
	return lines
}

// proposal returns the proposal of an agent whose text came before the view began.
func (m Model) proposal(agent string) string {
	for _, result := range m.seen.Result.Results {
		if result.AgentID == agent {
			return result.Proposal
		}
	}
	return ""
}

func (m Model) title(agent runs.AgentView, spoken voice) string {
	parts := []string{terminal.Inline(agent.AgentID), terminal.Inline(agent.Role), terminal.Inline(string(agent.State))}
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

func wrapped(text string, width int) []string {
	text = strings.ReplaceAll(strings.TrimSpace(terminal.Printable(text)), "\t", "  ")
	if text == "" || width < 1 {
		return nil
	}
	return strings.Split(ansi.Wrap(text, width, ""), "\n")
}

func padded(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}
