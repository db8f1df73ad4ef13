package activities

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/activities/waiting"
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
	a, err := s.awaiting(ctx, in)
	if err != nil {
		return contract.TurnOutcome{}, err
	}
	defer a.turn.Leave()
	for {
		a.away = s.down(in.Handle.Cluster)
		seen, err := a.turn.Next(ctx, a.stopping)
		if err != nil {
			return contract.TurnOutcome{}, orHandOver(err)
		}
		ended, err := a.hear(ctx, seen)
		if ended || err != nil {
			return a.outcome, orHandOver(err)
		}
		activity.RecordHeartbeat(ctx, a.progress)
	}
}

// awaiting is the wait for one turn. It is on the heap, and awaitTurn has few variables: a stack that is used to more
// than a quarter never becomes smaller, and thousands of them are most of a worker's memory (see ADR 10).
type awaiting struct {
	set

	in       contract.AwaitTurnInput
	handle   domain.Handle
	turn     *waiting.Turn
	stopping <-chan struct{} // closed when the worker shuts down
	away     bool            // the cluster was known to be away before it was asked
	progress contract.AwaitProgress
	outcome  contract.TurnOutcome // set when the turn has ended
}

func (s set) awaiting(ctx context.Context, in contract.AwaitTurnInput) (*awaiting, error) {
	cluster, err := s.cluster(ctx, in.Handle.Cluster)
	if err != nil {
		return nil, err
	}
	a := &awaiting{set: s, in: in, handle: in.Handle.Domain(), stopping: activity.GetWorkerStopChannel(ctx)}
	a.progress = contract.AwaitProgress{TurnID: a.handle.TurnID, State: "submitted"}
	resume(ctx, &a.progress)
	a.turn = s.waits.Turn(cluster, a.handle)
	return a, nil
}

// hear reports whether the turn has ended.
func (a *awaiting) hear(ctx context.Context, seen *domain.Observation) (ended bool, err error) {
	outcome := domain.OutcomeOf(a.handle, *seen, a.in.Reading.Domain(), answerDecoder(), a.in.AnswerBytes)
	switch outcome.Kind {
	case domain.OutcomeRunning:
		a.progress = answered(a.progress, *seen)
		return false, nil
	case domain.OutcomeUnreachable:
		a.progress.Trouble, a.progress.Unanswered = bounded(outcome.Reason), a.progress.Unanswered+1
		if back, err := a.waitForCluster(ctx); back || err != nil {
			return false, err
		}
		return a.pollFailed(unanswered(ctx, a.handle, *seen, outcome))
	case domain.OutcomeCompleted, domain.OutcomeFailed, domain.OutcomeLost, domain.OutcomeCancelled, domain.OutcomeGivenUp:
		activity.GetLogger(ctx).Info("turn ended", keyDeliberation, activity.GetInfo(ctx).WorkflowExecution.ID,
			keyTurn, string(a.handle.TurnID), "outcome", string(outcome.Kind), "error_type", string(outcome.Failure.Kind()))
	}
	a.outcome = contract.TurnOutcomeOf(outcome)
	return true, nil
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
func (a *awaiting) waitForCluster(ctx context.Context) (back bool, err error) {
	activity.RecordHeartbeat(ctx, a.progress)
	if !a.away || a.progress.Unanswered < stayFrom {
		return false, nil
	}
	for until := time.Now().Add(stayMost); !a.gone() && time.Now().Before(until); activity.RecordHeartbeat(ctx, a.progress) {
		if err := wait(ctx, a.stopping, lookEvery+rand.N(lookEvery)); err != nil { //nolint:gosec // the spread only keeps all waits from asking at the same moment
			return false, err
		}
		if !a.down(a.handle.Cluster) {
			return true, nil
		}
	}
	a.progress.Unanswered = 0
	activity.RecordHeartbeat(ctx, a.progress)
	return false, nil
}

// pollFailed ends a poll without an answer: with an error, after which the same turn is polled again, or with the
// outcome *unreachable* if the cluster is gone. What counts is how long the cluster has been silent. The turn's own
// silence may have another reason: it was paused, or it had no worker, so nobody asked.
func (a *awaiting) pollFailed(why error) (ended bool, err error) {
	if !a.gone() {
		return false, why
	}
	a.outcome = contract.TurnOutcomeOf(domain.Outcome{Kind: domain.OutcomeUnreachable, Reason: bounded(why.Error())})
	return true, nil
}

// gone reports whether the turn's cluster has been away for longer than its grace, and another one answers.
func (a *awaiting) gone() bool {
	return domain.DownTooLong(a.States(), a.handle.Cluster, graceOf(a.in.GraceSeconds), time.Now())
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
