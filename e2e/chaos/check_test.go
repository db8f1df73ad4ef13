//go:build integration

package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

// An experiment must fail whichever of its costs is beyond the limits.
func TestChaosSeesEveryViolation(t *testing.T) {
	allowed := limits{calls: 1, recovery: time.Minute}
	fine := cost{accepted: inFlight, asTheyMust: inFlight, calls: 50, beyond: 1, recovery: time.Minute}
	require.Empty(t, fine.violations(allowed))
	for name, spoil := range map[string]func(n *cost){
		"too few":        func(n *cost) { n.accepted--; n.asTheyMust-- },
		"wrong":          func(n *cost) { n.wrong++; n.asTheyMust-- },
		"unaccounted":    func(n *cost) { n.asTheyMust-- },
		"calls beyond":   func(n *cost) { n.beyond++ },
		"paid twice":     func(n *cost) { n.paid++ },
		"event lost":     func(n *cost) { n.lost++ },
		"event doubled":  func(n *cost) { n.doubled++ },
		"disordered":     func(n *cost) { n.disordered++ },
		"left on Ray":    func(n *cost) { n.left++ },
		"slow to return": func(n *cost) { n.recovery++ },
	} {
		spoiled := fine
		spoil(&spoiled)
		require.Len(t, spoiled.violations(allowed), 1, name)
	}
}

func TestChaosCountsAnswersPaidTwice(t *testing.T) {
	calls := []stack.Call{
		{RequestID: "a", Outcome: "error"},
		{RequestID: "a", Outcome: "completed"},
		{RequestID: "b", Outcome: "disconnected"},
		{RequestID: "b2", Outcome: "completed"},
	}
	require.Zero(t, paidTwice(calls, 2))
	require.Equal(t, 1, paidTwice(calls, 1), "one answer that nobody needed")
	require.Equal(t, 1, paidTwice(append(calls, stack.Call{RequestID: "a", Outcome: "completed"}), 3), "one turn is answered twice")
}

func TestChaosTalliesEvents(t *testing.T) {
	stored := []stack.Event{
		eventOf("1-started", ""), eventOf("3-agent_completed", "x"), eventOf("4-agent_failed", "y"), eventOf("5-completed", ""),
	}
	expected := map[string]int{"started": 1, "agent_completed": 1, "agent_failed": 1, "completed": 1}
	counted := func(stored []stack.Event) []int {
		lost, doubled, disordered := tally(stored, expected)
		return []int{lost, doubled, disordered}
	}
	require.Equal(t, []int{0, 0, 0}, counted(stored))
	require.Equal(t, []int{1, 0, 0}, counted(stored[:3]))
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), stored[3])), "the same id")
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), eventOf("6-completed", ""))), "two ends")
	require.Equal(t, []int{0, 1, 0}, counted(append(slices.Clone(stored), eventOf("6-agent_failed", "x"))), "two ends of one agent")
	require.Equal(t, []int{0, 0, 1}, counted([]stack.Event{stored[0], stored[2], stored[1], stored[3]}))
	reviews := []stack.Event{eventOf("6-reviewed", "x"), eventOf("7-reviewed", "y")}
	lost, doubled, _ := tally(append(reviews, eventOf("8-reviewed", "y")), map[string]int{"reviewed": 4})
	require.Equal(t, []int{1, 1}, []int{lost, doubled}, "a review that is announced twice, and one that is missing")
	_, doubled, _ = tally(stored, nil)
	require.Equal(t, len(stored), doubled, "events where there must be none")
}

func eventOf(numbered, agent string) stack.Event {
	_, kind, _ := strings.Cut(numbered, "-")
	return stack.Event{ID: "d/r/" + numbered, Type: "io.deliberation." + kind + ".v1", Data: []byte(`{"agent_id":"` + agent + `"}`)}
}
