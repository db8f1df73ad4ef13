//go:build integration

package chaos

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/e2e/stack"
	"deliberation.io/deliberation/workflows/contract"
)

// ending is how a deliberation ends: with a status, or the type of its error.
type ending string

const (
	endsCompleted  = ending(domain.StatusCompleted) // with a proposal of every agent
	endsDegraded   = ending("degraded")             // completed, with agents or the last reviews missing
	endsReviewed   = ending("reviewed")             // completed by a council that has all its reviews and revisions
	endsLate       = ending("late")                 // completed at the deadline, with a proposal of every agent
	endsCancelled  = ending(domain.StatusCancelled)
	endsTerminated = ending("terminated")
	endsAtDeadline = ending(domain.DeadlineExceeded)
	neverEnds      = ending("running")
)

// ended is how and when a deliberation did end, and how many events of each kind it must have stored.
type ended struct {
	as     ending
	at     time.Time
	events map[string]int
	cause  error
}

// awaitEnds waits until every subject has ended. It waits well beyond what the experiment allows, so that an
// experiment which takes too long reports how long.
func (l *lab) awaitEnds() {
	if l.faultEnd.IsZero() {
		l.endFault()
	}
	ctx, cancel := context.WithDeadline(l.t.Context(), l.faultEnd.Add(2*l.limits().recovery+time.Minute))
	defer cancel()
	for _, s := range l.subjects {
		if s.ended.as == "" {
			s.ended = endOf(ctx, s.run)
		}
	}
}

// endOf waits until a run ends. While Temporal is away, it asks again.
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
		described, describing := stack.Temporal.DescribeWorkflowExecution(context.WithoutCancel(ctx), run.GetID(), run.GetRunID())
		if describing == nil && described.GetWorkflowExecutionInfo().GetCloseTime() != nil {
			end.at = described.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
		} else {
			end.at = time.Now()
		}
		return end
	}
}

// fullyReviewed reports whether every agent revised its proposal and reviewed the others before and after.
func fullyReviewed(result contract.Result) bool {
	return result.RankingBasis == domain.RankedByPeers && result.Review.Failed == 0 &&
		len(result.Reviews) == 2*result.TotalAgents && len(result.Revisions) == result.TotalAgents &&
		!slices.ContainsFunc(result.Revisions, func(r contract.RevisionRecord) bool { return r.Fate == domain.RevisionFailed })
}

func endedAs(result contract.Result, err error) ended {
	end := ended{as: neverEnds, cause: err, events: map[string]int{"started": 1}}
	var details contract.FailureDetails
	var application *temporal.ApplicationError
	var terminated *temporal.TerminatedError
	switch {
	case err == nil:
		end.as = endsCompleted
		switch {
		case result.StopReason == domain.StopDeadline && result.CompletedAgents == result.TotalAgents:
			end.as = endsLate
		case result.Degraded:
			end.as = endsDegraded
		case fullyReviewed(result):
			end.as = endsReviewed
		}
		end.events["completed"], end.events["agent_completed"] = 1, result.CompletedAgents
		end.events["reviewed"], end.events["revised"] = len(result.Reviews), len(result.Revisions)
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
	if len(details.Failures) > 0 {
		end.events["agent_failed"] = len(details.Failures)
	}
	return end
}
