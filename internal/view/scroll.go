package view

import (
	"cmp"
	"maps"

	"deliberation.io/deliberation/internal/runs"
)

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
