package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// submitTry bounds one request, under the heartbeat timeout.
	submitTry = 15 * time.Second
	// refusedMost is the longest pause between two requests while there is no room, unless Ray asks for a longer one.
	refusedMost = 5 * time.Second
)

// submitTurns submits the turns to Ray and waits for room until GiveUpAt. It repeats the same request: if turns were
// accepted and the answer was lost, the next request attaches to them.
func (s set) submitTurns(ctx context.Context, in contract.SubmitTurnsInput) (contract.SubmitTurnsResult, error) {
	var none contract.SubmitTurnsResult
	now := clockOf(ctx)
	progress := contract.SubmitProgress{State: "queued", Cluster: in.Cluster, Since: time.Now().UTC()}
	resume(ctx, &progress)
	cluster, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return none, err
	}
	submission, description, err := s.submission(ctx, in)
	if err != nil {
		return none, err
	}
	working, stop := untilStopped(ctx)
	defer stop()
	pace := backoff.NewExponentialBackOff()
	for {
		accepted, err := submitOnce(working, cluster, submission)
		if err == nil {
			return s.accepted(working, in, accepted, description, now), nil
		}
		refusal, ours := errors.AsType[*domain.Error](err)
		if !ours || refusal.Fatal() {
			return none, stoppedBy(ctx, working, err)
		}
		submission.Repeated = submission.Repeated || refusal.Kind != domain.KindFull
		progress.Refusal = reasonOf(refusal)
		activity.RecordHeartbeat(ctx, progress)
		if over, done := s.giveUp(in, progress); done {
			return over, nil
		}
		// Never wait past GiveUpAt, even if Ray asks for longer, so that there is one last try.
		pause := min(max(min(pace.NextBackOff(), refusedMost), refusal.RetryAfter), time.Until(in.GiveUpAt))
		if err := waitBeating(ctx, working, pause, progress); err != nil {
			return none, stoppedBy(ctx, working, err)
		}
	}
}

// accepted returns what Ray has accepted, and announces it. Turns that had all been stopped begin nothing.
func (s set) accepted(ctx context.Context, in contract.SubmitTurnsInput, by domain.Acceptance, description string, now func() time.Time) contract.SubmitTurnsResult {
	activity.GetLogger(ctx).Info("turns submitted", keyDeliberation, in.DeliberationID,
		"turns", len(by.Handles), "cluster", in.Cluster, "cancelled", len(by.Cancelled))
	return contract.SubmitTurnsResult{
		Handles: contract.HandlesOf(by.Handles), Cancelled: by.Cancelled,
		Announced: len(by.Handles) > 0 && s.announce(ctx, in, description, now),
	}
}

// giveUp reports whether it stops waiting for room here: the time is over, or another cluster has room.
func (s set) giveUp(in contract.SubmitTurnsInput, progress contract.SubmitProgress) (contract.SubmitTurnsResult, bool) {
	now := time.Now()
	late := !now.Before(in.GiveUpAt)
	elsewhere := !late && domain.FullTooLong(s.States(), in.Cluster, graceOf(in.GraceSeconds), now)
	return contract.SubmitTurnsResult{Refusal: progress.Refusal, Elsewhere: elsewhere}, late || elsewhere
}

func submitOnce(ctx context.Context, cluster domain.RayCluster, submission domain.Submission) (domain.Acceptance, error) {
	try, cancel := context.WithTimeout(ctx, submitTry)
	defer cancel()
	accepted, err := cluster.Submit(try, submission)
	if endedContext(err) && try.Err() != nil && ctx.Err() == nil {
		err = &domain.Error{Kind: domain.KindUnreachable, Op: "submit", Err: fmt.Errorf("no answer within %s", submitTry)}
	}
	return accepted, err
}

// reasonOf explains to people why there is no room. It leaves out what was tried.
func reasonOf(refusal *domain.Error) string {
	if refusal.Err == nil {
		return bounded(refusal.Error())
	}
	return bounded(refusal.Err.Error())
}

// submission returns what is submitted, and the task's description for the events.
func (s set) submission(ctx context.Context, in contract.SubmitTurnsInput) (submission domain.Submission, description string, err error) {
	brief, err := s.brief(ctx, in)
	if err != nil {
		return submission, "", err
	}
	request := brief.Request.Domain()
	turns := in.TurnsOf(request)
	if err := sameTurns(in.Turns, turns); err != nil {
		return submission, "", err
	}
	submission = request.Submission(turns, brief.Texts())
	submission.Owner, submission.Deliberation, submission.OriginalRun = s.Owner, in.DeliberationID, in.OriginalRunID
	info := activity.GetInfo(ctx)
	reset := info.WorkflowExecution.RunID != in.OriginalRunID // the run before the reset may have submitted the same turns
	submission.Repeated = in.Repeated || info.Attempt > 1 || reset
	submission.Run, submission.Keep = time.Duration(in.RunSeconds)*time.Second, time.Duration(in.KeepSeconds)*time.Second
	return submission, brief.Request.TaskDescription, nil
}

// brief returns the brief that the input carries, or else the one that the phase's first submit carried.
func (s set) brief(ctx context.Context, in contract.SubmitTurnsInput) (contract.Brief, error) {
	if in.Brief != nil {
		return *in.Brief, nil
	}
	run, phase := activity.GetInfo(ctx).WorkflowExecution, in.Phase()
	return s.briefs.find(ctx, fmt.Sprint(run.RunID, phase), func(ctx context.Context) (contract.Brief, error) {
		return runs.FirstSubmitted(ctx, s.Temporal, s.DataConverter, run, phase)
	})
}

// sameTurns refuses turns whose derived ids differ from the recorded ones: nobody would wait for them or stop them. The
// ids differ if this worker derives them in another way than the one that recorded them, or if the input is damaged.
func sameTurns(wanted []contract.TurnRef, derived []domain.Turn) error {
	if len(wanted) == 0 {
		return &domain.Error{Kind: domain.KindRejected, Op: "submit", Err: errors.New("no turns")}
	}
	for i, ref := range wanted {
		found := "none"
		if i < len(derived) {
			found = string(derived[i].ID())
		}
		if found != string(ref.TurnID) {
			return &domain.Error{Kind: domain.KindRejected, Op: "submit " + string(ref.TurnID), Err: fmt.Errorf(
				"attempt %d of agent %s has another id here: %s", ref.Attempt, domain.Quote(ref.AgentID), found)}
		}
	}
	return nil
}

// cluster finds a cluster by name. If it isn't configured here, another worker may have it.
func (s set) cluster(ctx context.Context, name string) (domain.RayCluster, error) {
	if cluster, configured := s.Clusters[name]; configured {
		return measured{RayCluster: cluster, name: name, metrics: activity.GetMetricsHandler(ctx)}, nil
	}
	return nil, &domain.Error{
		Kind: domain.KindNoCluster, Op: "choose cluster " + domain.Quote(name), RetryAfter: refusedMost,
		Err: errors.New("not in this worker's DELIBERATION_RAY_CLUSTERS"),
	}
}
