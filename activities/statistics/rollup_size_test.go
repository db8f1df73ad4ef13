package statistics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"deliberation.io/deliberation/workflows/contract"
)

// many generates runs page by page, and counts the pages that are still in memory.
type many struct {
	*fakeVisibility
	t          *testing.T
	ended      int
	closed     func(n int) time.Time
	pages      []weak.Pointer[workflowpb.WorkflowExecutionInfo]
	held, most int
	read       int // closed runs that were read
}

func (m *many) ListWorkflow(ctx context.Context, in *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	list, since, err := parsed(in.GetQuery())
	require.NoError(m.t, err)
	if list == whatRuns {
		return m.fakeVisibility.ListWorkflow(ctx, in)
	}
	m.most = max(m.most, int(in.GetPageSize()))
	from := 0
	_, _ = fmt.Sscan(string(in.GetNextPageToken()), &from)
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	for n := from; n < min(m.ended, from+int(in.GetPageSize())); n++ {
		generated := (&fakeVisibility{}).starts(n)
		generated.Status = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		generated.CloseTime = fresh(generated.GetCloseTime())
		at := m.closed(n)
		generated.CloseTime.Seconds = at.Unix()
		generated.StartTime.Seconds = at.Unix() - int64(n%100+1)
		if !at.Before(since) {
			page.Executions = append(page.Executions, generated)
		}
	}
	if from+int(in.GetPageSize()) < m.ended {
		page.NextPageToken = []byte(fmt.Sprint(from + int(in.GetPageSize())))
	}
	m.read += len(page.GetExecutions())
	if len(page.GetExecutions()) > 0 {
		m.pages = append(m.pages, weak.Make(page.GetExecutions()[0]))
	}
	if len(m.pages)%20 == 0 {
		m.held = max(m.held, m.inMemory())
	}
	return page, nil
}

func (m *many) inMemory() (pages int) {
	runtime.GC()
	for _, page := range m.pages {
		if page.Value() != nil {
			pages++
		}
	}
	return pages
}

func TestRollUp_HoldsOnePageOfAHundredThousandRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, visibility := newCounted(t)
		all := &many{fakeVisibility: visibility, t: t, ended: 100_000, closed: func(n int) time.Time {
			return time.Now().Add(-time.Hour - time.Duration(n)*time.Second)
		}}
		w.temporal = all
		begin := time.Now()

		out, err := tryCount(w)

		require.NoError(t, err)
		require.Equal(t, int64(100_000), out.Stats.Completed)
		require.InDelta(t, 50_500, out.Stats.AverageMS, 0)
		require.InEpsilon(t, 50_000, out.Stats.P50MS, 0.01)
		require.InEpsilon(t, 95_000, out.Stats.P95MS, 0.01)
		require.Equal(t, 1000, all.most)
		require.LessOrEqual(t, all.held, 2, "pages in memory: this one and the one before")
		require.Empty(t, out.RollUp.Seen, "runs that are not read again need not be remembered")
		require.Less(t, len(encoded(t, out)), 4<<10)
		require.Greater(t, time.Since(begin), 15*time.Second, "it leaves requests to others")
	})
}

func TestRollUp_CostsNoMoreTheMoreIsRolledUp(t *testing.T) {
	for _, size := range []int{100, 1000, 10_000} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			all := &many{fakeVisibility: &fakeVisibility{page: 1000}, t: t, ended: size, closed: func(int) time.Time { return begin }}
			first := tryCountFrom(t, all, contract.RollUp{})
			require.Equal(t, size, all.read)
			time.Sleep(5*time.Minute + contract.SeenWithin) // until then they are read again
			second := tryCountFrom(t, all, first.RollUp)
			all.read = 0

			third := tryCountFrom(t, all, second.RollUp)

			require.Zero(t, all.read)
			require.Equal(t, int64(size), third.Stats.Completed)
			require.Less(t, len(encoded(t, third)), 1<<10, "its input and its result don't grow either")
		})
	}
}

func encoded(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

// payloadMost is the size that Temporal refuses.
const payloadMost = 2 << 20

func TestRollUp_NeverOutgrowsAPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, visibility := newCounted(t)
		visibility.page = 1000
		for n := range 3000 {
			visibility.starts(n).Execution.WorkflowId = strings.Repeat("\x01<", 498) + fmt.Sprintf("%04d", n)
		}
		begin := time.Now()
		all := &many{fakeVisibility: visibility, t: t, ended: 100_000, closed: func(n int) time.Time {
			return begin.Add(-time.Duration(n) * 2 * time.Millisecond) // 500 a second
		}}
		w.temporal = all
		for n := range all.ended { // running runs have other ids
			if n < 3000 {
				visibility.runs[n].Execution.RunId = fmt.Sprintf("open-%d", n)
			}
		}

		first, err := tryCount(w)
		require.NoError(t, err)
		second, err := w.try(first.RollUp)
		require.NoError(t, err)

		require.Equal(t, int64(3000), first.Stats.Active)
		require.NotEmpty(t, first.Jobs)
		require.Equal(t, int64(100_000), first.Stats.Completed)
		require.Equal(t, first.Stats.Completed, second.Stats.Completed, "runs that are no longer remembered are not read again")
		require.True(t, second.RollUp.RereadFrom.After(begin.Add(-4*time.Minute)))
		for _, out := range []contract.CountResult{first, second} {
			require.Less(t, len(encoded(t, out)), payloadMost*9/10)
			require.Less(t, len(encoded(t, contract.StatsState{Last: out})), payloadMost*9/10)
		}
	})
}
