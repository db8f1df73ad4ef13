package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	countBusy   = 15 * time.Second // between counts while anything runs
	countIdle   = time.Minute      // between counts while nothing runs
	countWithin = 5 * time.Minute
	// countFirst is for a count that has much to read, such as the first one, which reads everything that
	// visibility holds. It is enough for ten million runs at a pace that leaves room for other readers.
	countFirst = time.Hour
)

// statistics is the run of DeliberationStats.
type statistics struct {
	state     contract.StatsState
	requested int // refreshes asked for
	served    int // refreshes answered, each by a count that began after it
	failed    error
}

// DeliberationStats keeps the statistics and the list of running jobs, counted from visibility. Running
// deliberations are counted again each time. One that has ended is counted once, and stays counted when
// visibility no longer lists it.
func (s stories) DeliberationStats(ctx workflow.Context, state contract.StatsState) error {
	k := &statistics{state: state}
	if k.state.Since.IsZero() {
		k.state.Since = workflow.GetInfo(ctx).WorkflowStartTime.UTC()
	}
	if err := k.answer(ctx); err != nil {
		return err
	}
	for {
		if err := k.count(ctx); err != nil {
			return err
		}
		if over, err := k.over(ctx); over || err != nil {
			return err
		}
		if err := k.pause(ctx); err != nil {
			return err
		}
	}
}

// over reports whether the history is so long that the next run has to take over. Before it does, this run counts
// once more for the refreshes that came during its last count.
func (k *statistics) over(ctx workflow.Context) (bool, error) {
	if !workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
		return false, nil
	}
	answered := func() bool { return workflow.AllHandlersFinished(ctx) }
	if err := workflow.Await(ctx, func() bool { return answered() || k.requested > k.served }); err != nil {
		return false, err
	}
	if !answered() {
		return false, nil
	}
	return true, workflow.NewContinueAsNewError(ctx, contract.DeliberationStatsName, k.state)
}

func (k *statistics) answer(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, contract.QueryStats, func() (contract.Stats, error) { return k.statsAt(wallClock()), nil }); err != nil {
		return err
	}
	if err := workflow.SetQueryHandler(ctx, contract.QueryActiveJobs, func() (contract.ActiveJobs, error) { return k.jobsAt(wallClock()) }); err != nil {
		return err
	}
	return workflow.SetUpdateHandler(ctx, contract.UpdateRefresh, func(ctx workflow.Context) (contract.Stats, error) {
		k.requested++
		mine := k.requested
		if err := workflow.Await(ctx, func() bool { return k.served >= mine }); err != nil {
			return contract.Stats{}, err
		}
		return k.statsAt(workflow.Now(ctx)), k.failed
	})
}

// count counts once, for all refreshes that were asked for before it. If it fails, the last count stays, and
// the refreshes get the error.
func (k *statistics) count(ctx workflow.Context) error {
	serving := k.requested
	within := countWithin
	if workflow.Now(ctx).Sub(k.state.RollUp.Watermark) > countWithin {
		within = countFirst
	}
	counted, err := CountDeliberations.call(ctx, within, "count deliberations", contract.CountInput{RollUp: k.state.RollUp}).get(ctx)
	if temporal.IsCanceledError(err) {
		return err
	}
	if err == nil {
		k.state.Take(counted)
		workflow.GetMetricsHandler(ctx).Gauge(MetricStatsCountedAt).Update(float64(counted.AsOf.Unix()))
	} else {
		workflow.GetLogger(ctx).Warn("deliberations not counted", "error", err)
	}
	k.served, k.failed = serving, err
	return nil
}

func (k *statistics) pause(ctx workflow.Context) error {
	wait := countIdle
	if k.state.Last.Stats.Active > 0 {
		wait = countBusy
	}
	_, err := workflow.AwaitWithTimeout(ctx, wait, func() bool { return k.requested > k.served })
	return err
}

func (k *statistics) statsAt(now time.Time) contract.Stats {
	stats := k.state.Last.Stats
	stats.UptimeSeconds = max(0, int64(now.Sub(k.state.Since)/time.Second))
	stats.AsOf = k.state.Last.AsOf
	return stats
}

func (k *statistics) jobsAt(now time.Time) (contract.ActiveJobs, error) {
	active := contract.ActiveJobs{Jobs: []contract.Job{}, Total: k.state.Last.Stats.Active, AsOf: k.state.Last.AsOf}
	for _, running := range k.state.Last.Jobs {
		job, err := contract.JobOf(domain.JobInfo{
			DeliberationID: running.WorkflowID, RunID: running.RunID, TaskID: running.TaskID, Role: running.Role,
			Status: domain.StatusRunning.JobStatus(true), Start: running.Start,
		}, now)
		if err != nil {
			return contract.ActiveJobs{}, err
		}
		active.Jobs = append(active.Jobs, job)
	}
	return active, nil
}
