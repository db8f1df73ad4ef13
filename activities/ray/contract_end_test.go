package ray_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func stops(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	c.script(t, c.model, hangs())
	handles := c.submit(t)
	c.called(t)
	for i, seen := range c.stop(t, handles...) {
		require.Equal(t, domain.RayCancelled, seen.State)
		require.Equal(t, handles[i].TurnID, seen.TurnID)
		require.Equal(t, domain.Cancelled, seen.Failure.Kind())
		require.Contains(t, seen.Failure.Message(), "deadline")
	}
	require.Equal(t, domain.RayCancelled, c.see(t, handles[0]).State)
	require.Equal(t, domain.RayCancelled, c.stop(t, handles...)[0].State, "a repeated stop")
}

func stopBringsResult(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	c.see(t, handle)
	seen := c.stop(t, handle)[0]
	require.Equal(t, domain.RayCompleted, seen.State)
	require.Equal(t, answerText, seen.Completion.Text)
	require.Equal(t, 1, seen.Usage.Calls)
}

func stopsWithoutRunner(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	c.called(t)
	require.Equal(t, domain.RayCancelled, c.stop(t, c.lost()...)[0].State)
	require.Equal(t, domain.RayCancelled, c.see(t, handle).State)
}

func lateAfterStop(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	for _, seen := range c.stop(t, c.lost()...) {
		require.Contains(t, []domain.RayState{domain.RayUnknown, domain.RayCancelled}, seen.State)
	}
	acceptance, err := c.Submit(t.Context(), c.submission)
	require.NoError(t, err)
	require.Empty(t, acceptance.Handles)
	require.Equal(t, []domain.TurnID{c.id(), c.submission.Asks[1].TurnID}, acceptance.Cancelled)
	require.Zero(t, c.calls(t, c.id()))
}

func lateAfterForget(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	c.see(t, handle)
	require.NoError(t, c.Forget(t.Context(), c.order(handle)))
	require.NoError(t, c.Forget(t.Context(), c.order(handle)), "again")
	acceptance, err := c.Submit(t.Context(), c.submission)
	require.NoError(t, err)
	require.Equal(t, []domain.TurnID{c.id()}, acceptance.Cancelled)
	require.Equal(t, domain.OutcomeLost, domain.Judge(handle, c.see(t, handle)).Kind)
	require.Equal(t, 1, c.calls(t, c.id()))
}

// stopsLongAnswers stops turns whose answers together are longer than one response may be.
func stopsLongAnswers(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 24)
	long := strings.Repeat("議", 300_000) // 900,000 bytes
	c.script(t, c.model, says(long))
	handles := c.submit(t)
	c.completed(t)
	c.Hurry(patience) // reading them takes long where the race detector slows it down
	for _, seen := range c.stop(t, handles...) {
		require.Equal(t, domain.RayCompleted, seen.State, seen.Unreachable)
		require.Equal(t, long, seen.Completion.Text)
	}
}
