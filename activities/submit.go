package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

const (
	// submitTry bounds one request, under the heartbeat timeout.
	submitTry = 15 * time.Second
	// refusedMost is the longest pause between two requests while there is no room.
	refusedMost = 5 * time.Second
)

// submitTurns puts the turns to Ray and waits for room as long as it may. Every request is the same one:
// turns that were accepted while the answer was lost are attached to.
func (s set) submitTurns(ctx context.Context, in workflows.SubmitTurnsInput) (workflows.SubmitTurnsResult, error) {
	cluster, err := s.cluster(in.Cluster)
	if err != nil {
		return workflows.SubmitTurnsResult{}, err
	}
	submission := s.submission(in)
	progress := workflows.SubmitProgress{State: "queued", Cluster: in.Cluster, Since: time.Now().UTC()}
	pace := backoff.NewExponentialBackOff()
	pace.MaxInterval = refusedMost
	for {
		accepted, err := submitOnce(ctx, cluster, submission)
		if err == nil {
			activity.GetLogger(ctx).Info("turns submitted", keyDeliberation, in.DeliberationID,
				"turns", len(accepted.Handles), "cluster", in.Cluster, "cancelled", len(accepted.Cancelled))
			return workflows.SubmitTurnsResult{Handles: workflows.HandlesOf(accepted.Handles), Cancelled: accepted.Cancelled}, nil
		}
		var refusal *domain.Error
		if !errors.As(err, &refusal) || refusal.Fatal() {
			return workflows.SubmitTurnsResult{}, err
		}
		progress.Refusal = bounded(refusal.Err.Error())
		activity.RecordHeartbeat(ctx, progress)
		pause := max(pace.NextBackOff(), min(refusal.RetryAfter, refusedMost))
		if time.Now().Add(pause).After(in.GiveUpAt) {
			return workflows.SubmitTurnsResult{Refusal: progress.Refusal}, nil
		}
		if err := wait(ctx, pause); err != nil {
			return workflows.SubmitTurnsResult{}, err
		}
	}
}

func submitOnce(ctx context.Context, cluster domain.RayCluster, submission domain.Submission) (domain.Acceptance, error) {
	try, cancel := context.WithTimeout(ctx, submitTry)
	defer cancel()
	accepted, err := cluster.Submit(try, submission)
	if err != nil && ctx.Err() == nil && try.Err() != nil {
		err = &domain.Error{Kind: domain.KindUnreachable, Op: "submit", Err: fmt.Errorf("no answer within %s", submitTry)}
	}
	return accepted, err
}

func (s set) submission(in workflows.SubmitTurnsInput) domain.Submission {
	return domain.Submission{
		Owner: s.Owner, Deliberation: in.DeliberationID, Request: in.Request.Domain(), Turns: in.TurnsOf(),
		Run: time.Duration(in.RunSeconds) * time.Second, Keep: time.Duration(in.KeepSeconds) * time.Second,
	}
}

// cluster finds a cluster by name. One that isn't configured here may be on another worker.
func (s set) cluster(name string) (domain.RayCluster, error) {
	if cluster, configured := s.Clusters[name]; configured {
		return cluster, nil
	}
	return nil, &domain.Error{
		Kind: domain.KindNoCluster, Op: "choose cluster " + domain.Quote(name), RetryAfter: refusedMost,
		Err: errors.New("not in this worker's DELIBERATION_RAY_CLUSTERS"),
	}
}

// wait pauses until the time is over, the activity is cancelled, or the worker shuts down.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-activity.GetWorkerStopChannel(ctx):
		return handOver()
	}
}
