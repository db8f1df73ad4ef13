//go:build integration

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestChaosChecks: what counts the faults must see every one of them.
func TestChaosChecks(t *testing.T) {
	allowed := allowance{calls: 1, recovery: time.Minute}
	fine := figures{accepted: inFlight, asTheyMust: inFlight, calls: 50, beyond: 1, recovery: time.Minute}
	require.Empty(t, fine.breaks(allowed))
	for name, spoil := range map[string]func(n *figures){
		"too few":        func(n *figures) { n.accepted--; n.asTheyMust-- },
		"wrong":          func(n *figures) { n.wrong++; n.asTheyMust-- },
		"unaccounted":    func(n *figures) { n.asTheyMust-- },
		"calls beyond":   func(n *figures) { n.beyond++ },
		"paid twice":     func(n *figures) { n.paid++ },
		"event lost":     func(n *figures) { n.lost++ },
		"event doubled":  func(n *figures) { n.doubled++ },
		"disordered":     func(n *figures) { n.disordered++ },
		"left on Ray":    func(n *figures) { n.left++ },
		"slow to return": func(n *figures) { n.recovery++ },
	} {
		spoiled := fine
		spoil(&spoiled)
		require.Len(t, spoiled.breaks(allowed), 1, name)
	}
}

func TestChaosCountsAnswersPaidTwice(t *testing.T) {
	made := []call{
		{RequestID: "a", Outcome: "error"},
		{RequestID: "a", Outcome: "completed"},
		{RequestID: "b", Outcome: "disconnected"},
		{RequestID: "b2", Outcome: "completed"},
	}
	require.Zero(t, paidTwice(made, 2))
	require.Equal(t, 1, paidTwice(made, 1), "an answer nobody needed")
	require.Equal(t, 1, paidTwice(append(made, call{RequestID: "a", Outcome: "completed"}), 3), "a turn answered twice")
}

func TestChaosTalliesEvents(t *testing.T) {
	stored := []event{
		eventOf("1-started", ""), eventOf("3-agent_completed", "x"), eventOf("4-agent_failed", "y"), eventOf("5-completed", ""),
	}
	expected := map[string]int{"started": 1, "agent_completed": 1, "agent_failed": 1, "completed": 1}
	counted := func(stored []event) []int {
		lost, doubled, disordered := tally(stored, expected)
		return []int{lost, doubled, disordered}
	}
	require.Equal(t, []int{0, 0, 0}, counted(stored))
	require.Equal(t, []int{1, 0, 0}, counted(stored[:3]))
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), stored[3])), "the same id")
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), eventOf("6-completed", ""))), "two ends")
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), eventOf("6-agent_failed", "x"))), "an agent told of twice")
	require.Equal(t, []int{0, 0, 1}, counted([]event{stored[0], stored[2], stored[1], stored[3]}))
	_, doubled, _ := tally(stored, nil)
	require.Equal(t, len(stored), doubled, "events where there must be none")
}

func eventOf(numbered, agent string) event {
	_, kind, _ := strings.Cut(numbered, "-")
	return event{ID: "d/r/" + numbered, Type: "io.deliberation." + kind + ".v1", Data: []byte(`{"agent_id":"` + agent + `"}`)}
}
