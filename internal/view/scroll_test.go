package view

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"
)

// numbered is text of an agent that speaks in lines.
func numbered(from, to int) string {
	var lines strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&lines, "line %d\n", n)
	}
	return lines.String()
}

func TestAPaneIsScrolledAndFollowsItsEndAgain(t *testing.T) {
	frame := func(m Model) string { return ansi.Strip(m.View().Content) }
	one := council(1, 1)
	one.Result.Reviews, one.Result.Results = nil, nil
	m := updated(New(Actions{}), size(40, 14), one, said(1, 1, 1, numbered(1, 30))) // ten rows of text
	require.Contains(t, frame(m), "line 21\n")
	require.Contains(t, frame(m), "line 30")

	m = updated(m, special(tea.KeyUp), special(tea.KeyUp))
	require.Contains(t, frame(m), "2 lines below")
	require.Contains(t, frame(m), "line 19\n")
	require.NotContains(t, frame(m), "line 29")
	m = updated(m, said(1, 2, 2, numbered(31, 40)))
	require.Contains(t, frame(m), "line 19\n", "text that comes doesn't move what a person reads")
	require.Contains(t, frame(m), "12 lines below")

	m = updated(m, special(tea.KeyPgUp))
	require.Contains(t, frame(m), "line 9\n")
	m = updated(m, special(tea.KeyHome), special(tea.KeyUp))
	require.Contains(t, frame(m), "line 1\n")
	m = updated(m, special(tea.KeyPgDown))
	require.Contains(t, frame(m), "line 11\n")
	m = updated(m, special(tea.KeyEnd), said(1, 3, 3, numbered(41, 41)))
	require.Contains(t, frame(m), "line 41")
	require.NotContains(t, frame(m), "below")

	m = updated(m, special(tea.KeyHome))
	one.View.Agents[0].SubmissionID = "t9"
	next := said(1, 1, 1, numbered(51, 80))
	next[0].TurnID = "t9"
	require.Contains(t, frame(updated(m, one, next)), "line 80", "another turn begins at its end")
}

func TestOnlyTheChosenPaneScrolls(t *testing.T) {
	m := updated(New(Actions{}), size(40, 20), council(1, 1, 2), said(1, 1, 1, numbered(1, 30)), said(2, 1, 1, numbered(101, 130)),
		special(tea.KeyTab), special(tea.KeyHome))
	require.Contains(t, m.View().Content, "line 30")
	require.NotContains(t, m.View().Content, "line 130")
}
