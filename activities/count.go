package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	mostActive = 500       // running jobs that are listed; all are counted
	spare      = 500       // more of them are read, since some end while the others are listed
	jobsBytes  = 512 << 10 // of JSON; an id may be 1,000 characters that take 6 each. A query's answer shows one twice
)

const deliberations = "WorkflowType='" + contract.DeliberationName + "' AND "

// countDeliberations reads visibility: what runs first, then what has ended, so that a run which ends in
// between is in the second list and is taken out of the first. A run is never in neither.
func (s set) countDeliberations(ctx context.Context, in contract.CountInput) (contract.CountResult, error) {
	var none contract.CountResult
	asOf := activity.GetInfo(ctx).StartedTime.UTC() // the server's clock, as that of a run's end
	roll, err := newRolling(in.RollUp, asOf)
	if err != nil {
		return none, err
	}
	open := running{runs: map[uint64]struct{}{}}
	// Not by status: a paused run is one that goes on, and servers that know no pause refuse the word.
	err = s.list(ctx, "running", deliberations+"CloseTime IS NULL", func(page []*workflowpb.WorkflowExecutionInfo) error {
		for _, run := range page {
			if !roll.has(run) {
				open.add(run)
			}
		}
		return nil
	})
	if err != nil {
		return none, err
	}
	err = s.list(ctx, "ended", roll.query(), func(page []*workflowpb.WorkflowExecutionInfo) error {
		for _, run := range page {
			if ended(run) {
				delete(open.runs, hashOf(run))
			}
		}
		return s.roll(ctx, roll, page)
	})
	if err != nil {
		return none, err
	}
	return roll.result(open, asOf)
}

// running is what runs: all of it by hash, and the newest to be listed.
type running struct {
	runs map[uint64]struct{}
	jobs []contract.ActiveJob
	hash []uint64 // of the jobs
	size int
}

func (r *running) add(run *workflowpb.WorkflowExecutionInfo) {
	hash := hashOf(run)
	if _, twice := r.runs[hash]; twice {
		return
	}
	r.runs[hash] = struct{}{}
	if len(r.jobs) == mostActive+spare {
		return
	}
	job := activeJob(run)
	if size := encodedSize(job); r.size+size <= 2*jobsBytes {
		r.jobs, r.hash, r.size = append(r.jobs, job), append(r.hash, hash), r.size+size
	}
}

// newest are those that still run, as many as a payload holds.
func (r *running) newest() []contract.ActiveJob {
	newest, size := []contract.ActiveJob{}, 0
	for i, job := range r.jobs {
		_, runs := r.runs[r.hash[i]]
		size += encodedSize(job)
		if size > jobsBytes || len(newest) == mostActive {
			break
		}
		if !runs {
			size -= encodedSize(job)
			continue
		}
		newest = append(newest, job)
	}
	return slices.Clip(newest)
}

func encodedSize(job contract.ActiveJob) int {
	encoded, err := json.Marshal(job)
	if err != nil { // a time that JSON has no form for
		return jobsBytes
	}
	return len(encoded) + 1
}

func (r *rolling) result(open running, asOf time.Time) (contract.CountResult, error) {
	rolled, err := r.state()
	if err != nil {
		return contract.CountResult{}, fmt.Errorf("roll up: %w", err)
	}
	stats, err := domain.NewExecutionStats(domain.StatsSpec{
		Active: int64(len(open.runs)), Completed: rolled.Completed, Failed: rolled.Failed, Cancelled: rolled.Cancelled,
		TimedOut: rolled.TimedOut, Terminated: rolled.Terminated, Figures: r.figures(),
	})
	if err != nil {
		return contract.CountResult{}, err
	}
	return contract.CountResult{Stats: contract.StatsOf(stats, asOf), Jobs: open.newest(), AsOf: asOf, RollUp: rolled}, nil
}

func activeJob(run *workflowpb.WorkflowExecutionInfo) contract.ActiveJob {
	job := contract.ActiveJob{
		WorkflowID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId(),
		Start: run.GetStartTime().AsTime(),
	}
	memo := run.GetMemo().GetFields()
	read := converter.GetDefaultDataConverter()
	for key, target := range map[string]*string{contract.MemoTaskID: &job.TaskID, contract.MemoRole: &job.Role} {
		if payload := memo[key]; payload != nil {
			_ = read.FromPayload(payload, target) // a memo of another shape is shown as none
		}
	}
	return job
}
