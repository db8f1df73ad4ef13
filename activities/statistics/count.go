// Package statistics counts deliberations from visibility, and keeps the workflow running that asks for the counts.
package statistics

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	mostActive = 500       // running jobs that are listed; all are counted
	spare      = 500       // jobs that are read in addition, since some end while the list is read
	jobsBytes  = 512 << 10 // of JSON; an id may be 1,000 characters that take 6 bytes each, and an answer shows one twice
)

// Count is the activity CountDeliberations. It lists the open runs first and the ended runs second. A run that ends in
// between is in both lists, and is then removed from the first, so that no run is missed.
func (c Counter) Count(ctx context.Context, in contract.CountInput) (contract.CountResult, error) {
	var none contract.CountResult
	asOf := activity.GetInfo(ctx).StartedTime.UTC() // by the server's clock, like the ends of runs
	roll, err := newRolling(in.RollUp, asOf)
	if err != nil {
		return none, err
	}
	open, err := c.open(ctx, roll)
	if err != nil {
		return none, err
	}
	for page, err := range c.pages(ctx, "ended", roll.query()) {
		if err == nil {
			err = c.addPage(ctx, roll, page)
		}
		if err != nil {
			return none, err
		}
		for _, run := range page {
			if ended(run) {
				delete(open.runs, hashOf(run))
			}
		}
	}
	return roll.result(open, asOf)
}

// open lists the open runs. The query isn't by status: a paused run is open too, and older servers don't know that
// status.
func (c Counter) open(ctx context.Context, roll *rolling) (running, error) {
	open := running{runs: map[uint64]struct{}{}}
	for page, err := range c.pages(ctx, "running", deliberations+"CloseTime IS NULL") {
		if err != nil {
			return open, err
		}
		for _, run := range page {
			if !roll.has(run) {
				open.add(run, c.activeJob)
			}
		}
	}
	return open, nil
}

// running holds the open runs: all by hash, and the newest as jobs.
type running struct {
	runs   map[uint64]struct{}
	jobs   []contract.ActiveJob
	hashes []uint64 // of the jobs
	size   int      // of the jobs in JSON
}

func (r *running) add(run *workflowpb.WorkflowExecutionInfo, jobOf func(*workflowpb.WorkflowExecutionInfo) contract.ActiveJob) {
	hash := hashOf(run)
	if _, twice := r.runs[hash]; twice {
		return
	}
	r.runs[hash] = struct{}{}
	if len(r.jobs) == mostActive+spare {
		return
	}
	job := jobOf(run)
	if size := encodedSize(job); r.size+size <= 2*jobsBytes {
		r.jobs, r.hashes, r.size = append(r.jobs, job), append(r.hashes, hash), r.size+size
	}
}

// newest returns the jobs that still run, as many as a payload holds.
func (r *running) newest() []contract.ActiveJob {
	newest, size := []contract.ActiveJob{}, 0
	for i, job := range r.jobs {
		if _, runs := r.runs[r.hashes[i]]; !runs {
			continue
		}
		size += encodedSize(job)
		if size > jobsBytes || len(newest) == mostActive {
			break
		}
		newest = append(newest, job)
	}
	return slices.Clip(newest)
}

func encodedSize(job contract.ActiveJob) int {
	encoded, err := json.Marshal(job)
	if err != nil { // JSON has no form for its time
		return jobsBytes
	}
	return len(encoded) + 1
}

func (r *rolling) result(open running, asOf time.Time) (contract.CountResult, error) {
	rolled, err := r.state()
	if err != nil {
		return contract.CountResult{}, fmt.Errorf("roll up: %w", err)
	}
	stats, err := domain.NewExecutionStats(domain.ExecutionCounts{
		Active: int64(len(open.runs)), Completed: rolled.Completed, Failed: rolled.Failed, Cancelled: rolled.Cancelled,
		TimedOut: rolled.TimedOut, Terminated: rolled.Terminated,
	}, r.executionTimes())
	if err != nil {
		return contract.CountResult{}, err
	}
	shown := contract.StatsOf(stats, asOf)
	shown.UsageByPhase = rolled.UsageByPhase
	return contract.CountResult{Stats: shown, Jobs: open.newest(), AsOf: asOf, RollUp: rolled}, nil
}

func (c Counter) activeJob(run *workflowpb.WorkflowExecutionInfo) contract.ActiveJob {
	job := contract.ActiveJob{
		WorkflowID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId(),
		Start: run.GetStartTime().AsTime(),
	}
	// A memo of another shape counts as none.
	c.read(run, contract.MemoTaskID, &job.TaskID)
	c.read(run, contract.MemoRole, &job.Role)
	return job
}
