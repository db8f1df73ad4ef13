package runs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/runs"
)

func TestAFilterQuotesItsValues(t *testing.T) {
	from := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, `WorkflowType='Deliberation' AND DeliberationRole='a\' OR \\\'' AND StartTime>='2026-01-02T03:04:05Z'`,
		runs.Deliberations().Is("DeliberationRole", `a' OR \'`).Is("DeliberationTaskId", "").From("StartTime", from).From("CloseTime", time.Time{}).String())
	require.Equal(t, `WorkflowType='Deliberation' AND (StartTime>='2026-01-02T03:04:05Z' OR (ExecutionStatus!='Running' AND CloseTime>='2026-01-02T03:04:05Z'))`,
		runs.Deliberations().Since(from).String())
	require.Equal(t, runs.Deliberations(), runs.Deliberations().Since(time.Time{}))
}
