package activities

import (
	"context"
	"errors"
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
	cluster, err := s.cluster(in.Handle.Cluster)
	if err != nil {
		return workflows.TurnOutcome{}, err
	}
	working, stop := untilStopped(ctx)
	defer stop()
	handle := in.Handle.Domain()
	progress := workflows.AwaitProgress{TurnID: handle.TurnID, State: "submitted"}
	resume(ctx, &progress)
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
			return workflows.TurnOutcome{}, &domain.Error{
				Kind: domain.KindUnreachable, Op: "poll " + string(handle.TurnID), Err: errors.New(outcome.Reason),
			}
		case domain.OutcomeCompleted, domain.OutcomeFailed, domain.OutcomeLost, domain.OutcomeCancelled:
			activity.GetLogger(ctx).Info("turn ended", keyDeliberation, activity.GetInfo(ctx).WorkflowExecution.ID,
				keyTurn, string(handle.TurnID), "outcome", string(outcome.Kind), "error_type", string(outcome.Failure.Kind()))
			return workflows.TurnOutcomeOf(outcome), nil
		}
	}
}
