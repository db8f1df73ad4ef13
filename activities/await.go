package activities

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	stayFrom  = 3               // tries in a row without an answer before one stays: another worker may reach the cluster
	stayMost  = time.Minute     // the longest stay of one try
	lookEvery = 2 * time.Second // between two looks at the state of the cluster
)

// awaitTurn waits until the turn has ended, in one request with all other turns that this worker awaits on the same
// runner. It changes nothing on Ray, so the next try, on this worker or another one, finds the same turn. It sends a
// heartbeat only when Ray has named the turn. If the cluster doesn't answer, the try fails with the reason, and
// Temporal tries again on any worker. If the cluster is known to be away, the third such try stays and waits: thousands
// of retries every few seconds would be too much for Temporal.
func (s set) awaitTurn(ctx context.Context, in contract.AwaitTurnInput) (contract.TurnOutcome, error) {
	handle := in.Handle.Domain()
	progress := contract.AwaitProgress{TurnID: handle.TurnID, State: "submitted"}
	resume(ctx, &progress)
	cluster, err := s.cluster(ctx, handle.Cluster)
	if err != nil {
		return contract.TurnOutcome{}, err
	}
	working, stop := untilStopped(ctx)
	defer stop()
	turn := s.waits.Turn(cluster, handle)
	defer turn.Leave()
	for {
		away := s.down(handle.Cluster)
		seen, err := turn.Next(working)
		if err != nil {
			return contract.TurnOutcome{}, stoppedBy(ctx, working, err)
		}
		outcome := domain.OutcomeOf(handle, seen, in.Reading.Domain(), answerDecoder(), in.AnswerBytes)
		switch outcome.Kind {
		case domain.OutcomeRunning:
			progress = answered(progress, seen)
			activity.RecordHeartbeat(ctx, progress)
		case domain.OutcomeUnreachable:
			progress.Trouble, progress.Unanswered = bounded(outcome.Reason), progress.Unanswered+1
			back, err := s.waitForCluster(ctx, working, in, away, &progress)
			if err != nil {
				return contract.TurnOutcome{}, stoppedBy(ctx, working, err)
			}
			if back {
				continue
			}
			return s.pollFailed(in, unanswered(ctx, handle, seen, outcome))
		case domain.OutcomeCompleted, domain.OutcomeFailed, domain.OutcomeLost, domain.OutcomeCancelled, domain.OutcomeGivenUp:
			activity.GetLogger(ctx).Info("turn ended", keyDeliberation, activity.GetInfo(ctx).WorkflowExecution.ID,
				keyTurn, string(handle.TurnID), "outcome", string(outcome.Kind), "error_type", string(outcome.Failure.Kind()))
			return contract.TurnOutcomeOf(outcome), nil
		}
	}
}

// answered returns the progress after a poll that found the turn running.
func answered(progress contract.AwaitProgress, seen domain.Observation) contract.AwaitProgress {
	progress.Polls++
	progress.State, progress.LastAnswerAt, progress.Tokens = string(seen.State), time.Now().UTC(), seen.Progress.Tokens
	progress.Trouble, progress.Unanswered = seen.Waiting.String(), 0
	return progress
}

// unanswered returns the error of a poll that got no answer.
func unanswered(ctx context.Context, handle domain.Handle, seen domain.Observation, outcome domain.Outcome) error {
	return &domain.Error{
		Kind: domain.KindUnreachable, Op: "poll " + string(handle.TurnID), Err: errors.New(outcome.Reason),
		RetryAfter: beyondPace(activity.GetInfo(ctx), seen.RetryAfter),
	}
}

// waitForCluster waits for the turn's cluster if that was known to be away before the poll, and reports whether it came
// back. It returns false immediately if the cluster wasn't away, or if there were fewer than stayFrom tries without
// an answer. It returns false later when the cluster is gone, or after stayMost.
func (s set) waitForCluster(ctx, working context.Context, in contract.AwaitTurnInput, away bool, progress *contract.AwaitProgress) (back bool, err error) {
	activity.RecordHeartbeat(ctx, *progress)
	if !away || progress.Unanswered < stayFrom {
		return false, nil
	}
	for until := time.Now().Add(stayMost); !s.gone(in) && time.Now().Before(until); activity.RecordHeartbeat(ctx, *progress) {
		if err := wait(working, lookEvery+rand.N(lookEvery)); err != nil { //nolint:gosec // the spread only keeps all waits from asking at the same moment
			return false, err
		}
		if !s.down(in.Handle.Cluster) {
			return true, nil
		}
	}
	progress.Unanswered = 0
	activity.RecordHeartbeat(ctx, *progress)
	return false, nil
}

// pollFailed returns the result of a poll without an answer: an error, after which the same turn is polled again,
// or the outcome *unreachable* if the cluster is gone. What counts is how long the cluster has been silent. The turn's
// own silence may have another reason: it was paused, or it had no worker, so nobody asked.
func (s set) pollFailed(in contract.AwaitTurnInput, why error) (contract.TurnOutcome, error) {
	if !s.gone(in) {
		return contract.TurnOutcome{}, why
	}
	return contract.TurnOutcomeOf(domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: bounded(why.Error())}), nil
}

// gone reports whether the turn's cluster has been away for longer than its grace, and another one answers.
func (s set) gone(in contract.AwaitTurnInput) bool {
	return domain.DownTooLong(s.States(), in.Handle.Cluster, graceOf(in.GraceSeconds), time.Now())
}

// beyondPace returns the pause that Ray asked for if it is longer than the retry policy's own, else 0. A pause that is
// given replaces the policy's, which grows with each try.
func beyondPace(info activity.Info, asked time.Duration) time.Duration {
	if policy := info.RetryPolicy; policy != nil {
		own := float64(policy.InitialInterval) * math.Pow(policy.BackoffCoefficient, float64(info.Attempt-1))
		if float64(asked) <= min(own, float64(policy.MaximumInterval)) {
			return 0
		}
	}
	return asked
}

func graceOf(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
