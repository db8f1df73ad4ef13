//go:build integration

package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"

	"deliberation.io/deliberation/e2e/stack"
)

// cost is what an experiment did cost.
type cost struct {
	accepted, asTheyMust, wrong int // subjects

	calls, beyond, paid       int // needed calls of the model, calls beyond those, and answers paid for twice
	lost, doubled, disordered int // events
	left                      int // turns that outlived their deliberation
	recovery                  time.Duration
}

// violations are the ways in which a cost is beyond its limits.
func (n cost) violations(allowed limits) []string {
	var found []string
	check := func(bad bool, format string, args ...any) {
		if bad {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	check(n.accepted < inFlight, "%d deliberations were in flight, %d are needed", n.accepted, inFlight)
	check(n.wrong > 0 || n.asTheyMust != n.accepted, "%d of %d ended otherwise than they must", n.wrong, n.accepted)
	check(n.beyond > allowed.calls, "%d calls of the model beyond the needed %d, %d allowed", n.beyond, n.calls, allowed.calls)
	check(n.paid > allowed.paid, "%d answers paid for twice, %d allowed", n.paid, allowed.paid)
	check(n.lost > 0, "%d events lost", n.lost)
	check(n.doubled > 0, "%d events doubled", n.doubled)
	check(n.disordered > 0, "%d events out of order", n.disordered)
	check(n.left > 0, "%d turns left on Ray %s after the last end", n.left, allowed.left)
	check(n.recovery > allowed.recovery, "recovered in %s, %s allowed", n.recovery, allowed.recovery)
	return found
}

// count adds up what the experiment cost.
func (l *lab) count() cost {
	n := cost{accepted: len(l.subjects), calls: l.callsNeeded}
	last := l.faultEnd
	for _, s := range l.subjects {
		if s.ended.as == s.mustEnd {
			n.asTheyMust++
		} else {
			n.wrong++
			l.t.Logf("%s ended as %s, not as %s: %v", s.run.GetID(), s.ended.as, s.mustEnd, s.ended.cause)
		}
		if s.ended.at.After(last) {
			last = s.ended.at
		}
	}
	n.recovery = last.Sub(l.faultEnd)
	n.left = l.leftOnRay(last)
	calls := l.calls(l.t)
	n.beyond, n.paid = max(0, len(calls)-l.callsNeeded), paidTwice(calls, l.answersNeeded)
	n.lost, n.doubled, n.disordered = l.countEvents()
	return n
}

// paidTwice counts the complete answers beyond the needed ones, or the turns that were answered again,
// whichever are more.
func paidTwice(calls []stack.Call, needed int) int {
	complete, again := 0, 0
	seen := map[string]bool{}
	for _, call := range calls {
		if call.Outcome != "completed" {
			continue
		}
		complete++
		if seen[call.RequestID] {
			again++
		}
		seen[call.RequestID] = true
	}
	return max(complete-needed, again)
}

// leftOnRay counts the turns that still wait or run when they no longer may.
func (l *lab) leftOnRay(since time.Time) int {
	for until := since.Add(l.limits().left); ; time.Sleep(time.Second) {
		left := 0
		for _, app := range l.clusters {
			left += len(slices.DeleteFunc(l.turnsOn(app), func(turn stack.Turn) bool { return !turn.Unfinished() }))
		}
		if left == 0 || time.Now().After(until) {
			return left
		}
	}
}

// turnsOn are the lab's turns that a cluster still knows. A cluster that was just hurt is asked again.
func (l *lab) turnsOn(app string) []stack.Turn {
	l.t.Helper()
	ours := map[string]bool{}
	for _, s := range l.subjects {
		ours[s.run.GetID()] = true
	}
	var all []stack.Turn
	stack.Eventually(l.t, "Ray lists its turns", func(c *assert.CollectT) { all = stack.TurnsOn(c, app) })
	return slices.DeleteFunc(all, func(turn stack.Turn) bool { return !ours[turn.Deliberation] })
}
