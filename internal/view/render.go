package view

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/untrusted"
)

const (
	bold    = "\x1b[1m"
	inverse = "\x1b[7m"
	plain   = "\x1b[m"
)

func (m Model) View() tea.View {
	shown := tea.NewView(strings.Join(m.frame(), "\n"))
	shown.AltScreen = true
	return shown
}

// frame returns exactly as many lines as the terminal has.
func (m Model) frame() []string {
	if m.mode == helping {
		return m.fitted(help, nil)
	}
	head, board, room := m.parts()
	head = append(head, m.panes(room)...)
	return m.fitted(append(head, board...), []string{m.foot()})
}

// parts returns what stands above and below the panes, and how many rows are left for the panes. The foot has one row.
func (m Model) parts() (head, board []string, room int) {
	head, board = m.head(), m.board()
	room = m.height - len(head) - 1
	if len(board)+paneLeast*min(3, len(m.seen.View.Agents)) > room { // the agents come first
		board = board[:max(0, min(len(board), room/3))]
	}
	return head, board, room - len(board)
}

var help = []string{
	"tab, ←, →      choose a pane",
	"↑, ↓           scroll it by a line",
	"PgUp, PgDn     scroll it by a page",
	"Home, End      go to its beginning; to its end, and follow it",
	"c              cancel the deliberation (asks first)",
	"s              stop now and rank what is there (asks first)",
	"q, Ctrl-C      leave; the deliberation goes on",
	"?              this help",
	"",
	"any key goes back",
}

// fitted cuts the lines to the terminal, and puts the last ones at its lower end.
func (m Model) fitted(lines, last []string) []string {
	lines = slices.Clone(lines[:max(0, min(len(lines), m.height-len(last)))])
	for len(lines) < m.height-len(last) {
		lines = append(lines, "")
	}
	lines = append(lines, last...)
	for i, line := range lines {
		lines[i] = ansi.Truncate(line, m.width, "…")
	}
	return lines
}

func (m Model) head() []string {
	if m.seen.At.IsZero() {
		return []string{"waiting for the history"}
	}
	v, result := m.seen.View, m.seen.Result
	title := bold + untrusted.Inline(v.DeliberationID) + plain
	parts := []string{title, phaseWords(v.Phase, v.Round), fmt.Sprintf("%d of %s done", v.Settled(), domain.Count(len(v.Agents), "agent"))}
	if v.StartedAt != nil {
		parts = append(parts, m.seen.At.Sub(*v.StartedAt).Truncate(1e9).String())
	}
	budget := fmt.Sprintf("%s of at most %d · %s",
		domain.Count(result.Usage.LLMCalls, "call"), m.seen.Most, domain.Count(result.Usage.PromptTokens+result.Usage.CompletionTokens, "token"))
	if v.WaitingFor != "" {
		budget += " · waiting for " + untrusted.Inline(v.WaitingFor)
	}
	return []string{strings.Join(parts, " · "), budget}
}

func phaseWords(phase string, round int) string {
	if round > 0 {
		return fmt.Sprintf("%s r%d", untrusted.Inline(phase), round)
	}
	return untrusted.Inline(phase)
}

func (m Model) foot() string {
	switch {
	case m.mode == askingToCancel:
		return inverse + "Cancel the deliberation? y/n" + plain
	case m.mode == askingToStop:
		return inverse + "Stop now and rank what is there? y/n" + plain
	case m.note != "":
		return untrusted.Inline(m.note)
	}
	return "? help · q quit · tab pane · ↑↓ scroll · s stop now · c cancel"
}
