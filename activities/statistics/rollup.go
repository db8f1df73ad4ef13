package statistics

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/runs"
	"deliberation.io/deliberation/workflows/contract"
)

const (
	// reread is how late visibility may list a run's end.
	reread = 5 * time.Minute
	// seenMost bounds the runs that a payload remembers. If more runs end in that time, a count rereads fewer.
	seenMost = 90_000
	// The histogram of execution times covers 1 ms to 60 days within 1 %, in at most 3 KB.
	longest   = int64(60 * 24 * time.Hour / time.Millisecond)
	precision = 2
)

// rolling is a roll-up while a count adds runs to it.
type rolling struct {
	sum        contract.RollUp
	readFrom   time.Time            // runs that ended earlier were counted by earlier counts
	rereadFrom time.Time            // the next count reads runs again that ended since this time
	seen       map[uint64]time.Time // the ends of counted runs, by hash
	lastPage   map[uint64]struct{}  // the runs of the last page: a list that changes while it is read may repeat runs
	times      *hdrhistogram.Histogram
}

func newRolling(from contract.RollUp, now time.Time) (*rolling, error) {
	r := &rolling{
		sum: from, readFrom: from.RereadFrom, seen: map[uint64]time.Time{},
		times: hdrhistogram.New(1, longest, precision),
	}
	if from.Histogram != "" {
		times, err := hdrhistogram.Decode([]byte(from.Histogram))
		if err != nil {
			return nil, fmt.Errorf("histogram of execution times: %w", err)
		}
		r.times.Merge(times)
	}
	for _, runs := range from.Seen {
		for rest := runs.Hashes; len(rest) >= 8; rest = rest[8:] {
			r.seen[binary.BigEndian.Uint64(rest)] = runs.Since
		}
	}
	if now.After(r.sum.Watermark) {
		r.sum.Watermark = now
	}
	r.rereadFrom = r.sum.Watermark.Add(-reread).Truncate(contract.SeenWithin)
	if r.rereadFrom.Before(r.readFrom) {
		r.rereadFrom = r.readFrom
	}
	r.sum.RereadFrom, r.sum.Seen = r.rereadFrom, nil
	return r, nil
}

// query has no upper bound, so that runs which end while the list is read count too. Without IS NOT NULL, a server on
// SQL also lists open runs, as if they ended in the far future.
func (r *rolling) query() string {
	query := deliberations + "CloseTime IS NOT NULL"
	if !r.readFrom.IsZero() {
		query += " AND CloseTime >= '" + r.readFrom.UTC().Format(time.RFC3339Nano) + "'"
	}
	return query
}

func hashOf(run *workflowpb.WorkflowExecutionInfo) uint64 {
	sum := sha256.Sum256([]byte(run.GetExecution().GetRunId()))
	return binary.BigEndian.Uint64(sum[:])
}

func (r *rolling) has(run *workflowpb.WorkflowExecutionInfo) bool {
	_, known := r.seen[hashOf(run)]
	return known
}

// addPage adds a page of runs that have ended.
func (c Counter) addPage(ctx context.Context, into *rolling, page []*workflowpb.WorkflowExecutionInfo) error {
	here := make(map[uint64]struct{}, len(page))
	for _, run := range page {
		hash := hashOf(run)
		_, repeated := into.lastPage[hash]
		_, twice := here[hash]
		here[hash] = struct{}{}
		if !ended(run) || repeated || twice || into.has(run) || run.GetCloseTime().AsTime().Before(into.readFrom) {
			continue
		}
		reset, err := c.reset(ctx, run)
		if err != nil {
			return err
		}
		if !reset { // a reset run continues as another run, which is counted
			into.add(run, c.executionTime(run))
			into.sum = into.sum.AddUsage(c.usage(run))
		}
		if closed := run.GetCloseTime().AsTime(); !closed.Before(into.rereadFrom) {
			into.seen[hash] = closed.Truncate(contract.SeenWithin)
		}
	}
	into.lastPage = here
	return nil
}

func ended(run *workflowpb.WorkflowExecutionInfo) bool {
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
		enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return true
	default: // running, paused, or continued as new
		return false
	}
}

// reset reports whether a run was terminated because it was reset. Visibility doesn't say; its last event does.
func (c Counter) reset(ctx context.Context, run *workflowpb.WorkflowExecutionInfo) (bool, error) {
	if run.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED {
		return false, nil
	}
	activity.RecordHeartbeat(ctx, "terminated")
	outside, _, err := runs.ReadOutsideEnd(ctx, c.temporal, workflow.Execution{
		ID: run.GetExecution().GetWorkflowId(), RunID: run.GetExecution().GetRunId(),
	})
	if _, deleted := errors.AsType[*serviceerror.NotFound](err); deleted { // it was deleted after it was listed
		return false, nil
	}
	return outside.Reset, err
}

// executionTime returns the time from a run's start to its decision, as its result shows it. If the memo can't be read,
// for example because another data converter wrote it, it returns the time from the start to the end.
func (c Counter) executionTime(run *workflowpb.WorkflowExecutionInfo) time.Duration {
	var ms int64
	if c.read(run, contract.MemoExecutionTime, &ms) {
		return time.Duration(ms) * time.Millisecond
	}
	return run.GetCloseTime().AsTime().Sub(run.GetStartTime().AsTime())
}

// usage returns the cost of each kind of phase of a run. A run that was refused, or ended from outside, has no such memo.
func (c Counter) usage(run *workflowpb.WorkflowExecutionInfo) map[domain.PhaseKind]contract.PhaseUsage {
	var usage map[domain.PhaseKind]contract.PhaseUsage
	if !c.read(run, contract.MemoUsageByPhase, &usage) {
		return nil
	}
	return usage
}

// add counts a run that has ended. Only completed runs have an execution time.
func (r *rolling) add(run *workflowpb.WorkflowExecutionInfo, took time.Duration) {
	switch run.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		r.sum.Completed++
		took = max(0, took) // the start and the end come from the clocks of two hosts
		r.sum.ExecutionUS += took.Microseconds()
		_ = r.times.RecordValue(min(took.Milliseconds(), longest)) // in range, so there is no error
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		r.sum.Failed++
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		r.sum.Cancelled++
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		r.sum.Terminated++
	case enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		r.sum.TimedOut++
	default: // it hasn't ended
	}
}

// state returns the roll-up from which the next count continues.
func (r *rolling) state() (contract.RollUp, error) {
	state := r.sum
	histogram, err := r.times.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return state, err
	}
	state.Histogram = string(histogram)
	byTime := map[time.Time][]uint64{}
	for hash, since := range r.seen {
		if since = since.UTC(); !since.Before(r.rereadFrom) {
			byTime[since] = append(byTime[since], hash)
		}
	}
	for since, hashes := range byTime {
		slices.Sort(hashes)
		runs := contract.SeenRuns{Since: since, Hashes: make([]byte, 0, 8*len(hashes))}
		for _, hash := range hashes {
			runs.Hashes = binary.BigEndian.AppendUint64(runs.Hashes, hash)
		}
		state.Seen = append(state.Seen, runs)
	}
	slices.SortFunc(state.Seen, func(a, b contract.SeenRuns) int { return a.Since.Compare(b.Since) })
	forgetBeyond(&state, seenMost)
	return state, nil
}

// forgetBeyond forgets the oldest runs if there are more than most, and moves RereadFrom past them.
func forgetBeyond(state *contract.RollUp, most int) {
	known := 0
	for _, runs := range state.Seen {
		known += len(runs.Hashes) / 8
	}
	for known > most {
		next := state.Seen[0].Since.Add(contract.SeenWithin)
		if next.After(state.Watermark) { // the runs that end now must be remembered
			return
		}
		known -= len(state.Seen[0].Hashes) / 8
		state.Seen, state.RereadFrom = state.Seen[1:], next
	}
}

func (r *rolling) executionTimes() domain.ExecutionTimes {
	if r.sum.Completed == 0 {
		return domain.ExecutionTimes{}
	}
	return domain.ExecutionTimes{
		AverageMS: float64(r.sum.ExecutionUS) / 1000 / float64(r.sum.Completed),
		P50MS:     r.percentile(0.5), P95MS: r.percentile(0.95),
	}
}

// percentile returns the time that this share of the completed runs didn't exceed, by the nearest rank. The
// histogram's own percentile may take the rank below.
func (r *rolling) percentile(share float64) float64 {
	count := float64(r.times.TotalCount())
	rank := max(1, math.Ceil(share*count-1e-7))
	return float64(r.times.ValueAtPercentile(100 * rank / count))
}
