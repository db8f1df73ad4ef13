package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
)

// stopTurns stops turns on Ray, verifies it, and returns what became of each; or forgets turns.
func (s set) stopTurns(ctx context.Context, in workflows.StopTurnsInput) (workflows.StopTurnsResult, error) {
	result := workflows.StopTurnsResult{Outcomes: map[domain.TurnID]workflows.TurnOutcome{}}
	for _, handles := range byCluster(in.Stop) {
		if err := s.stop(ctx, in, handles, result.Outcomes); err != nil {
			return workflows.StopTurnsResult{}, err
		}
	}
	for _, handles := range byCluster(in.Forget) {
		cluster, err := s.cluster(handles[0].Cluster)
		if err != nil {
			return workflows.StopTurnsResult{}, err
		}
		if err := cluster.Forget(ctx, s.order(in, handles)); err != nil {
			return workflows.StopTurnsResult{}, err
		}
	}
	return result, nil
}

func (s set) stop(ctx context.Context, in workflows.StopTurnsInput, handles []domain.Handle, into map[domain.TurnID]workflows.TurnOutcome) error {
	cluster, err := s.cluster(handles[0].Cluster)
	if err != nil {
		return err
	}
	seen, err := cluster.Stop(ctx, s.order(in, handles))
	if err != nil {
		return err
	}
	byTurn := make(map[domain.TurnID]domain.Observation, len(seen))
	for _, observation := range seen {
		byTurn[observation.TurnID] = observation
	}
	for _, handle := range handles {
		outcome, err := stopped(handle, byTurn, in.AnswerBytes)
		if err != nil && !lastTry(ctx) {
			return err
		}
		if err != nil { // one turn that isn't seen to end doesn't hide what became of the others
			activity.GetLogger(ctx).Warn("turn not seen to stop; run_seconds ends it on Ray", keyDeliberation, in.DeliberationID,
				keyTurn, string(handle.TurnID), "error", err)
			continue
		}
		into[handle.TurnID] = workflows.TurnOutcomeOf(outcome)
		activity.GetLogger(ctx).Info("turn stopped", keyDeliberation, in.DeliberationID,
			keyTurn, string(handle.TurnID), "outcome", string(outcome.Kind))
	}
	return nil
}

// lastTry tells that Temporal has no time for a further attempt as long as this one.
func lastTry(ctx context.Context) bool {
	return time.Since(activity.GetInfo(ctx).ScheduledTime) > workflows.StopTries
}

// stopped is what became of a turn; an error when Ray doesn't say that it has ended.
func stopped(handle domain.Handle, seen map[domain.TurnID]domain.Observation, answerBytes int) (domain.Outcome, error) {
	observation, answered := seen[handle.TurnID]
	if answered && observation.State == domain.RayCancelled && observation.Unreachable == "" {
		return domain.Outcome{Kind: domain.OutcomeCancelled, Usage: observation.Usage}, nil
	}
	if observation.Denied != "" { // says nothing of the turn, which may run on
		return domain.Outcome{}, &domain.Error{
			Kind: domain.KindDenied, Op: "stop " + string(handle.TurnID), Err: errors.New(observation.Denied),
		}
	}
	outcome := domain.OutcomeOf(handle, observation, decodeAnswer, answerBytes)
	if answered && outcome.Kind != domain.OutcomeRunning && outcome.Kind != domain.OutcomeUnreachable {
		return outcome, nil
	}
	return domain.Outcome{}, &domain.Error{
		Kind: domain.KindUnavailable, Op: "stop " + string(handle.TurnID), Err: errors.New("not seen to have stopped"),
	}
}

func (s set) order(in workflows.StopTurnsInput, handles []domain.Handle) domain.StopOrder {
	return domain.StopOrder{Owner: s.Owner, Deliberation: in.DeliberationID, Handles: handles, Reason: in.Reason}
}

// byCluster groups handles, the clusters in order of appearance.
func byCluster(handles []workflows.Handle) [][]domain.Handle {
	var groups [][]domain.Handle
	at := map[string]int{}
	for _, handle := range handles {
		i, known := at[handle.Cluster]
		if !known {
			i = len(groups)
			at[handle.Cluster] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], handle.Domain())
	}
	return groups
}
