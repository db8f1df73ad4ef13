package activities

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// stopTurns stops turns on Ray, checks that they have ended, and returns their outcomes. It asks all clusters at the
// same time: one that is away must not use up the others' time.
func (s set) stopTurns(ctx context.Context, in contract.StopTurnsInput) (contract.StopTurnsResult, error) {
	outcomes, err := s.stopAll(ctx, in)
	if err != nil && (len(outcomes) == 0 || !in.AllowPartial && !lastTry(ctx) && !fatal(err)) {
		return contract.StopTurnsResult{}, err
	}
	if err != nil { // the outcomes of the turns that ended are still returned
		activity.GetLogger(ctx).Warn("turns not seen to stop; run_seconds ends them on Ray", keyDeliberation, in.DeliberationID, "error", err)
	}
	return contract.StopTurnsResult{Outcomes: outcomes}, nil
}

// stopAll returns the outcomes of the turns that have ended, and why nothing is known of the others.
func (s set) stopAll(ctx context.Context, in contract.StopTurnsInput) (map[domain.TurnID]contract.TurnOutcome, error) {
	outcomes := map[domain.TurnID]contract.TurnOutcome{}
	var noting sync.Mutex
	err := together(byCluster(in.Turns), func(handles []domain.Handle) error {
		cluster, err := s.cluster(ctx, handles[0].Cluster)
		if err != nil {
			return err
		}
		if in.AllowPartial && s.down(handles[0].Cluster) {
			return &domain.Error{Kind: domain.KindUnreachable, Op: "stop on " + handles[0].Cluster, Err: errors.New("the cluster is away")}
		}
		seen, err := cluster.Stop(ctx, s.order(in.DeliberationID, handles, in.Reason))
		if err != nil {
			return err
		}
		noting.Lock()
		defer noting.Unlock()
		return note(ctx, in, handles, seen, outcomes)
	})
	return outcomes, err
}

// down reports whether a cluster is known not to answer. A stop that can wait isn't tried then: it would hold a slot
// that other stops need.
func (s set) down(cluster string) bool {
	return slices.ContainsFunc(s.States(), func(state domain.ClusterState) bool { return state.Name == cluster && !state.Up })
}

// together calls do for all groups at the same time.
func together(groups [][]domain.Handle, do func([]domain.Handle) error) error {
	faults := make([]error, len(groups))
	var doing sync.WaitGroup
	for i, group := range groups {
		doing.Go(func() { faults[i] = do(group) })
	}
	doing.Wait()
	return errors.Join(faults...)
}

// note adds the outcomes of the turns that have ended. The error names the turns that weren't seen to end.
func note(ctx context.Context, in contract.StopTurnsInput, handles []domain.Handle, seen []domain.Observation, into map[domain.TurnID]contract.TurnOutcome) error {
	byTurn := make(map[domain.TurnID]domain.Observation, len(seen))
	for _, observation := range seen {
		byTurn[observation.TurnID] = observation
	}
	var unseen error
	for _, handle := range handles {
		outcome, err := stopped(handle, byTurn, readingOf(in, handle.TurnID), in.AnswerBytes)
		if err != nil {
			unseen = errors.Join(unseen, err)
			continue
		}
		into[handle.TurnID] = contract.TurnOutcomeOf(outcome)
		activity.GetLogger(ctx).Info("turn stopped", keyDeliberation, in.DeliberationID,
			keyTurn, string(handle.TurnID), "outcome", string(outcome.Kind))
	}
	return unseen
}

// fatal reports whether trying again can't help.
func fatal(err error) bool {
	ours, is := errors.AsType[*domain.Error](err)
	return is && ours.Fatal()
}

// lastTry reports whether the schedule-to-close timeout leaves no room for another attempt.
func lastTry(ctx context.Context) bool {
	return time.Since(activity.GetInfo(ctx).ScheduledTime) > workflows.StopTries
}

// stopped returns the outcome of a turn that has ended. The error says that the turn wasn't seen to end.
func stopped(handle domain.Handle, seen map[domain.TurnID]domain.Observation, reading domain.Reading, answerBytes int) (domain.Outcome, error) {
	observation, answered := seen[handle.TurnID]
	if answered && observation.State == domain.RayCancelled && observation.Unreachable == "" {
		return domain.Outcome{Kind: domain.OutcomeCancelled, Usage: observation.Usage}, nil
	}
	outcome := domain.OutcomeOf(handle, observation, reading, answerDecoder(), answerBytes)
	if answered && outcome.Kind != domain.OutcomeRunning && outcome.Kind != domain.OutcomeUnreachable {
		return outcome, nil
	}
	return domain.Outcome{}, &domain.Error{
		Kind: domain.KindUnavailable, Op: "stop " + string(handle.TurnID), Err: errors.New("not seen to have stopped"),
	}
}

func (s set) order(deliberation string, handles []domain.Handle, reason string) domain.StopOrder {
	return domain.StopOrder{Owner: s.Owner, Deliberation: deliberation, Handles: handles, Reason: reason}
}

func readingOf(in contract.StopTurnsInput, id domain.TurnID) domain.Reading {
	if reading, given := in.Readings[id]; given {
		return reading.Domain()
	}
	return domain.Reading{Kind: domain.Propose}
}

// byCluster groups handles, the clusters in order of appearance.
func byCluster(handles []contract.Handle) [][]domain.Handle {
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
