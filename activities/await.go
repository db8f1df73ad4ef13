package activities

import (
	"context"
	"errors"
	"math"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

const (
	firstPoll = 2 * time.Second  // then a heartbeat shows that the turn is waited for
	longPoll  = 12 * time.Second // with the client's margin under the heartbeat timeout
	pollPace  = time.Second      // between two polls at least: an app that answers at once isn't flooded
)

// awaitTurn polls Ray until the turn has ended. It changes nothing on Ray: whoever polls next, here or
// on another worker, finds the same turn. A cluster that doesn't answer is asked again by Temporal's
// retry, which frees the slot in between and shows the reason to people.
func (s set) awaitTurn(ctx context.Context, in workflows.AwaitTurnInput) (workflows.TurnOutcome, error) {
	handle := in.Handle.Domain()
	progress := workflows.AwaitProgress{TurnID: handle.TurnID, State: "submitted", LastAnswerAt: activity.GetInfo(ctx).ScheduledTime}
	resume(ctx, &progress)
	cluster, err := s.cluster(handle.Cluster)
	if err != nil {
		return s.unreached(in, progress, err)
	}
	working, stop := untilStopped(ctx)
	defer stop()
	for hold := firstPoll; ; hold = longPoll {
		asked := time.Now()
		seen, err := cluster.Await(working, handle, hold)
		if err != nil {
			return workflows.TurnOutcome{}, stoppedBy(ctx, working, err)
		}
		outcome := domain.OutcomeOf(handle, seen, decodeAnswer, in.AnswerBytes)
		switch outcome.Kind {
		case domain.OutcomeRunning:
			progress.Polls++
			progress.State, progress.LastAnswerAt, progress.Tokens = string(seen.State), time.Now().UTC(), seen.Progress.Tokens
			activity.RecordHeartbeat(ctx, progress)
			if err := wait(working, pollPace-time.Since(asked)); err != nil {
				return workflows.TurnOutcome{}, stoppedBy(ctx, working, err)
			}
		case domain.OutcomeUnreachable:
			return s.unreached(in, progress, &domain.Error{
				Kind: domain.KindUnreachable, Op: "poll " + string(handle.TurnID), Err: errors.New(outcome.Reason),
				RetryAfter: beyondPace(activity.GetInfo(ctx), seen.RetryAfter),
			})
		case domain.OutcomeCompleted, domain.OutcomeFailed, domain.OutcomeLost, domain.OutcomeCancelled:
			activity.GetLogger(ctx).Info("turn ended", keyDeliberation, activity.GetInfo(ctx).WorkflowExecution.ID,
				keyTurn, string(handle.TurnID), "outcome", string(outcome.Kind), "error_type", string(outcome.Failure.Kind()))
			return workflows.TurnOutcomeOf(outcome), nil
		}
	}
}

// unreached is what an unanswered poll comes to: an error, after which the same turn is polled again; or,
// when its cluster has been away for longer than its grace while another one has room, an outcome.
func (s set) unreached(in workflows.AwaitTurnInput, progress workflows.AwaitProgress, why error) (workflows.TurnOutcome, error) {
	if !s.gone(in.Handle.Cluster, in.GraceSeconds, progress.LastAnswerAt) {
		return workflows.TurnOutcome{}, why
	}
	return workflows.TurnOutcomeOf(domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: bounded(why.Error())}), nil
}

// beyondPace is the time that was asked for if it is longer than the retry policy's own pause, else 0: a time
// that is given replaces the policy's, which grows.
func beyondPace(info activity.Info, asked time.Duration) time.Duration {
	if policy := info.RetryPolicy; policy != nil {
		own := float64(policy.InitialInterval) * math.Pow(policy.BackoffCoefficient, float64(info.Attempt-1))
		if float64(asked) <= min(own, float64(policy.MaximumInterval)) {
			return 0
		}
	}
	return asked
}

// gone tells that a cluster hasn't taken or told what it should for longer than its grace, and that there
// is a better one. Without a better one, waiting on is all that can be done.
func (s set) gone(cluster string, graceSeconds int, since time.Time) bool {
	grace := time.Duration(graceSeconds) * time.Second
	return grace > 0 && time.Since(since) > grace && domain.Elsewhere(s.States(), cluster)
}
