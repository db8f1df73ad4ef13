package ray_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func full(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	c.fill(t, c)
	_, err := c.Submit(t.Context(), c.submission)
	var refused *domain.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, domain.KindFull, refused.Kind)
	require.Positive(t, refused.RetryAfter)
	require.False(t, refused.Fatal())
	require.Zero(t, c.calls(t, c.id()), "all or nothing")
}

// fullForOthers: a deliberation that has begun attaches even to a full runner, since its time is running.
func fullForOthers(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 2)
	c.script(t, c.model, hangs())
	handles := c.submit(t)
	c.fill(t, c)
	require.Equal(t, handles, c.submit(t), "it attaches")
	again := c.submission
	again.Asks = c.attempt(100).Asks[:1]
	acceptance, err := c.Submit(t.Context(), again)
	require.NoError(t, err)
	require.Len(t, acceptance.Handles, 1)
	require.Equal(t, handles[0].Runner, acceptance.Handles[0].Runner)
	require.Equal(t, domain.RayCancelled, c.stop(t, acceptance.Handles...)[0].State, "also while it waits")
}

func denied(t *testing.T, app rayApp) {
	t.Helper()
	config := app.config()
	config.Token = "wrong"
	c := newCouncil(t, app, 1)
	c.Client = newClient(t, config)
	_, err := c.Submit(t.Context(), c.submission)
	require.Equal(t, domain.KindUnavailable, kindOf(t, err), "the token may be about to change")
	require.ErrorContains(t, err, "DELIBERATION_RAY_TOKEN")
	require.NotContains(t, err.Error(), "wrong", "a token is never shown")
	c.TireOfRefusals()
	_, err = c.Submit(t.Context(), c.submission)
	require.Equal(t, domain.KindDenied, kindOf(t, err))
	_, err = c.Info(t.Context())
	require.Equal(t, domain.KindDenied, kindOf(t, err))
}

// deniedInFlight: a refused token is no news of a turn, which may be running and paid for.
func deniedInFlight(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, says(answerText))
	handle := c.submit(t)[0]
	config := app.config()
	config.Token = "wrong"
	stranger := newClient(t, config)
	stranger.TireOfRefusals()
	seen, err := look(t.Context(), stranger, handle, 0)
	require.NoError(t, err)
	require.Contains(t, seen.Unreachable, "DELIBERATION_RAY_TOKEN")
	require.Equal(t, domain.OutcomeUnreachable, domain.Judge(handle, seen).Kind)
	_, err = stranger.Stop(t.Context(), c.order(handle))
	require.Equal(t, domain.KindUnavailable, kindOf(t, err))
	require.Equal(t, domain.KindUnavailable, kindOf(t, stranger.Forget(t.Context(), c.order(handle))))
	require.Equal(t, domain.RayCompleted, c.see(t, handle).State)
}

func rejected(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	broken := c.submission
	broken.Asks = nil
	_, err := c.Submit(t.Context(), broken)
	require.Equal(t, domain.KindRejected, kindOf(t, err))
	require.ErrorContains(t, err, "submit to "+c.Name())
	require.ErrorContains(t, err, "turns")

	broken = c.submission
	broken.Run = 0
	_, err = c.Submit(t.Context(), broken)
	require.Equal(t, domain.KindRejected, kindOf(t, err))
	require.ErrorContains(t, err, "run_seconds")
}

func urlNotAllowed(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.submission = submissionOf(t, "http://169.254.169.254/latest", c.model, 1)
	_, err := c.Submit(t.Context(), c.submission)
	require.Equal(t, domain.KindURL, kindOf(t, err))
	require.Zero(t, c.calls(t, c.id()))
}
