//go:build integration

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// ending is how a deliberation ends: with a status, or the type of its error.
type ending string

const (
	endsCompleted  = ending(domain.StatusCompleted) // with a proposal of every agent
	endsDegraded   = ending("degraded")             // completed, with agents missing
	endsCancelled  = ending(domain.StatusCancelled)
	endsTerminated = ending("terminated")
	endsAtDeadline = ending(domain.DeadlineExceeded)
	neverEnds      = ending("running")
)

// ended is how a deliberation did end, when, and which events that makes.
type ended struct {
	as     ending
	at     time.Time
	events map[string]int // how often each kind must be stored
	cause  error
}

// figures are what a row cost.
type figures struct {
	accepted, asTheyMust, wrong int

	calls, beyond, paid       int // necessary calls of the model, those beyond, and answers paid for twice
	lost, doubled, disordered int // events
	left                      int // turns that outlived their deliberation
	recovery                  time.Duration
}

// breaks are the ways in which figures exceed what is allowed.
func (n figures) breaks(allowed allowance) []string {
	var broken []string
	check := func(bad bool, format string, args ...any) {
		if bad {
			broken = append(broken, fmt.Sprintf(format, args...))
		}
	}
	check(n.accepted < inFlight, "%d deliberations were in flight, %d are needed", n.accepted, inFlight)
	check(n.wrong > 0 || n.asTheyMust != n.accepted, "%d of %d ended otherwise than they must", n.wrong, n.accepted)
	check(n.beyond > allowed.calls, "%d calls of the model beyond the necessary %d, %d allowed", n.beyond, n.calls, allowed.calls)
	check(n.paid > allowed.paid, "%d answers paid for twice, %d allowed", n.paid, allowed.paid)
	check(n.lost > 0, "%d events lost", n.lost)
	check(n.doubled > 0, "%d events doubled", n.doubled)
	check(n.disordered > 0, "%d events out of order", n.disordered)
	check(n.left > 0, "%d turns left on Ray %s after the last end", n.left, allowed.left)
	check(n.recovery > allowed.recovery, "recovered in %s, %s allowed", n.recovery, allowed.recovery)
	return broken
}

// settle waits until every deliberation has ended, well beyond what the row allows: a row that takes too
// long tells how long.
func (f *field) settle() {
	if f.healed.IsZero() {
		f.over()
	}
	ctx, cancel := context.WithDeadline(f.t.Context(), f.healed.Add(2*f.allowed().recovery+time.Minute))
	defer cancel()
	for _, tr := range f.trials {
		if tr.ended.as == "" {
			tr.ended = endOf(ctx, tr.run)
		}
	}
}

// count adds up what the row cost.
func (f *field) count() figures {
	n := figures{accepted: len(f.trials), calls: f.calls}
	last := f.healed
	for _, tr := range f.trials {
		if tr.ended.as == tr.ends {
			n.asTheyMust++
		} else {
			n.wrong++
			f.t.Logf("%s ended as %s, not as %s: %v", tr.run.GetID(), tr.ended.as, tr.ends, tr.ended.cause)
		}
		if tr.ended.at.After(last) {
			last = tr.ended.at
		}
	}
	n.recovery = last.Sub(f.healed)
	n.left = f.leftOnRay(last)
	made := f.made(f.t)
	n.beyond, n.paid = max(0, len(made)-f.calls), paidTwice(made, f.answers)
	n.lost, n.doubled, n.disordered = f.countNews()
	return n
}

// paidTwice counts complete answers beyond the necessary, and those of one and the same turn.
func paidTwice(made []call, answers int) int {
	complete, again := 0, 0
	seen := map[string]bool{}
	for _, each := range made {
		if each.Outcome != "completed" {
			continue
		}
		complete++
		if seen[each.RequestID] {
			again++
		}
		seen[each.RequestID] = true
	}
	return max(complete-answers, again)
}

// leftOnRay counts the row's turns that still run when no more are allowed to.
func (f *field) leftOnRay(since time.Time) int {
	for until := since.Add(f.allowed().left); ; time.Sleep(time.Second) {
		left := 0
		for _, app := range f.clusters {
			left += len(f.unfinished(app))
		}
		if left == 0 || time.Now().After(until) {
			return left
		}
	}
}

// unfinished are the row's turns that a cluster still works on.
func (f *field) unfinished(app string) []turn {
	f.t.Helper()
	return slices.DeleteFunc(f.known(app), func(each turn) bool { return !each.unfinished() })
}

// known are the row's turns that a cluster still knows. One that has just been hurt is asked again.
func (f *field) known(app string) []turn {
	f.t.Helper()
	ours := map[string]bool{}
	for _, tr := range f.trials {
		ours[tr.run.GetID()] = true
	}
	var all []turn
	eventually(f.t, "Ray lists its turns", func(c *assert.CollectT) { all = turnsOf(c, app) })
	return slices.DeleteFunc(all, func(each turn) bool { return !ours[each.Deliberation] })
}

// endOf waits until a run ends. A Temporal that is away is asked again.
func endOf(ctx context.Context, run client.WorkflowRun) ended {
	for {
		var result contract.Result
		err := run.Get(ctx, &result)
		var execution *temporal.WorkflowExecutionError
		if err != nil && !errors.As(err, &execution) && ctx.Err() == nil {
			time.Sleep(time.Second)
			continue
		}
		end := endedAs(result, err)
		described, describing := temporalClient.DescribeWorkflowExecution(context.WithoutCancel(ctx), run.GetID(), run.GetRunID())
		if describing == nil && described.GetWorkflowExecutionInfo().GetCloseTime() != nil {
			end.at = described.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
		} else {
			end.at = time.Now()
		}
		return end
	}
}

// endedAs reads how a run ended, and so which events it must have stored.
func endedAs(result contract.Result, err error) ended {
	end := ended{as: neverEnds, cause: err, events: map[string]int{"started": 1}}
	var details contract.FailureDetails
	var application *temporal.ApplicationError
	var terminated *temporal.TerminatedError
	switch {
	case err == nil:
		end.as = endsCompleted
		if result.Degraded {
			end.as = endsDegraded
		}
		end.events["completed"], end.events["agent_completed"] = 1, result.CompletedAgents
		details.Failures = result.Failures
	case temporal.IsCanceledError(err):
		end.as = endsCancelled
		end.events["cancelled"] = 1
	case errors.As(err, &terminated):
		end.as = endsTerminated
		end.events["failed"] = 1 // by a worker that finds its work on Ray
	case errors.As(err, &application):
		end.as = ending(application.Type())
		end.events["failed"] = 1
		_ = application.Details(&details) // a refused request has none
	}
	for _, failure := range details.Failures {
		if failure.ErrorType != domain.StillRunning && failure.ErrorType != domain.DeadlineExceeded {
			end.events["agent_failed"]++
		}
	}
	return end
}
