package view

import tea "charm.land/bubbletea/v2"

// press does what a key is for. Before it ends something, it asks.
func (m Model) press(key string) (tea.Model, tea.Cmd) {
	if key == "ctrl+c" {
		m.left = true
		return m, tea.Quit
	}
	m.note = "" // it was read
	switch m.mode {
	case askingToCancel, askingToStop:
		return m.answer(key)
	case helping:
		m.mode = watching
		return m, nil
	case watching:
	}
	if to, scrolls := scrolling[key]; scrolls {
		return m.scroll(to), nil
	}
	agents := max(1, len(m.seen.View.Agents))
	switch key {
	case "q", "esc":
		m.left = true
		return m, tea.Quit
	case "c":
		m.mode = askingToCancel
	case "s":
		m.mode = askingToStop
	case "?", "h":
		m.mode = helping
	case "tab", "right", "l":
		m.selected = (m.selected + 1) % agents
	case "shift+tab", "left":
		m.selected = (m.selected + agents - 1) % agents
	}
	return m, nil
}

func (m Model) answer(key string) (tea.Model, tea.Cmd) {
	asked := m.mode
	m.mode = watching
	if key != "y" && key != "Y" {
		return m, nil
	}
	if asked == askingToCancel {
		m.note = "cancelling: its work on Ray is stopped first"
		return m, act("cancel", m.actions.Cancel)
	}
	m.note = "stopping: what is there is ranked"
	return m, act("stop now", m.actions.StopNow)
}

func act(what string, do func() error) tea.Cmd {
	return func() tea.Msg {
		if err := do(); err != nil {
			return Noted(what + ": " + err.Error())
		}
		return nil
	}
}
