package ray_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func unknownTurn(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	handle.TurnID = c.attempt(2).Asks[0].TurnID
	seen := c.see(t, handle)
	require.Equal(t, domain.RayUnknown, seen.State)
	require.Contains(t, domain.Judge(handle, seen).Reason, "has no such turn")

	handle.Runner = "runner/dead/0"
	seen = c.see(t, handle)
	require.Equal(t, domain.RayUnknown, seen.State)
	require.Contains(t, domain.Judge(handle, seen).Reason, "no longer exists")
}

func anotherOwner(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	config := app.config()
	config.Owner = "somebody else"
	others := newClient(t, config)
	seen, err := look(t.Context(), others, handle, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, domain.RayUnknown, seen.State)
	stolen := c.submission
	stolen.Owner = config.Owner
	_, err = others.Submit(t.Context(), stolen)
	require.ErrorContains(t, err, "unknown", "it doesn't attach to the work of another owner")
	order := c.order(handle)
	order.Owner = config.Owner
	stopped, err := others.Stop(t.Context(), order)
	require.NoError(t, err)
	require.Equal(t, domain.RayUnknown, stopped[0].State)
	require.NoError(t, others.Forget(t.Context(), order))
	require.Equal(t, domain.OutcomeRunning, c.glance(t, handle))
	require.Equal(t, domain.RayCancelled, c.stop(t, handle)[0].State)
}

func restarted(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	c.called(t)
	c.restart(t, handle)
	seen := c.see(t, handle)
	outcome := domain.Judge(handle, seen)
	require.Equal(t, domain.OutcomeLost, outcome.Kind)
	require.Contains(t, outcome.Reason, "was restarted")
	require.NotEqual(t, handle.Incarnation, seen.Incarnation)
	again := c.submit(t)[0]
	require.Equal(t, handle.Runner, again.Runner)
	require.Equal(t, seen.Incarnation, again.Incarnation)
}

// ofAnotherCluster lets two Ray clusters have one address, as while one replaces the other.
func ofAnotherCluster(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	here := handle.Incarnation
	require.Equal(t, 2, strings.Count(here, "."), here)
	handle.Incarnation = "000000000000.00000000" + here[strings.LastIndex(here, "."):]
	seen := c.look(t, handle, 10*time.Second)
	require.Contains(t, seen.Unreachable, "another Ray cluster")
	_, err := c.Stop(t.Context(), c.order(handle))
	require.Equal(t, domain.KindUnavailable, kindOf(t, err))
	require.Equal(t, domain.KindUnavailable, kindOf(t, c.Forget(t.Context(), c.order(handle))))

	c.MissForGood()
	seen = c.look(t, handle, 0)
	require.Equal(t, domain.OutcomeLost, domain.Judge(handle, seen).Kind, "it is gone")
	require.Equal(t, domain.RayUnknown, c.stop(t, handle)[0].State)
	require.NoError(t, c.Forget(t.Context(), c.order(handle)))

	handle.Incarnation = here
	require.Equal(t, domain.OutcomeRunning, c.glance(t, handle))
}
