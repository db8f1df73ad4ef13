package ray_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

// waitsForMany: what has ended ends the wait, and nothing else is named.
func waitsForMany(t *testing.T, app rayApp) {
	t.Helper()
	quick, slow := newCouncil(t, app, 2), newCouncil(t, app, 2)
	slow.submission.Deliberation = quick.submission.Deliberation // so that both are on one runner
	slow.submission.Owner = quick.submission.Owner
	slow.script(t, slow.model, hangs())
	release := quick.hold(t, quick.model, says(answerText))
	running, ending := slow.submit(t), quick.submit(t)
	all := slices.Concat(running, ending)
	seen, err := quick.Await(t.Context(), all, 0)
	require.NoError(t, err)
	require.Len(t, seen, len(all), "a wait that is over names all")

	release()
	ended := map[domain.TurnID]bool{}
	for until := time.Now().Add(patience); len(ended) < len(ending) && time.Now().Before(until); {
		left := slices.Clone(running)
		for _, handle := range ending {
			if !ended[handle.TurnID] {
				left = append(left, handle)
			}
		}
		seen, err := quick.Await(t.Context(), left, 30*time.Second)
		require.NoError(t, err)
		for _, each := range seen {
			require.Equal(t, domain.RayCompleted, each.State, "what goes on isn't named")
			require.Equal(t, answerText, each.Completion.Text)
			ended[each.TurnID] = true
		}
	}
	require.Len(t, ended, len(ending))
	slow.stop(t, running...)
}

// unknownBesideOthers: a turn that nobody knows is its own result, and the others are still waited for.
func unknownBesideOthers(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handle := c.submit(t)[0]
	unknown := handle
	unknown.TurnID = c.attempt(2).Asks[0].TurnID
	seen, err := c.Await(t.Context(), []domain.Handle{handle, unknown}, 30*time.Second)
	require.NoError(t, err)
	require.Len(t, seen, 1)
	require.Equal(t, unknown.TurnID, seen[0].TurnID)
	require.Equal(t, domain.RayUnknown, seen[0].State)
	require.Equal(t, domain.OutcomeRunning, c.glance(t, handle))
}

// readsLongAnswersInParts: an answer that is long makes no other one unreachable.
func readsLongAnswersInParts(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 11)
	long := strings.Repeat("\u0001議", 170_000) // 680,000 bytes, 1.5 MB as JSON
	c.script(t, c.model, says(long))
	handles := c.submit(t)
	c.completed(t)
	for len(handles) > 0 {
		seen, err := c.Await(t.Context(), handles, 30*time.Second)
		require.NoError(t, err)
		require.Len(t, seen, min(5, len(handles)), "five of them fit into 8 MiB")
		read := map[domain.TurnID]bool{}
		for _, each := range seen {
			require.Equal(t, long, each.Completion.Text)
			read[each.TurnID] = true
		}
		var left []domain.Handle
		for _, handle := range handles {
			if !read[handle.TurnID] {
				left = append(left, handle)
			}
		}
		require.Len(t, left, len(handles)-len(seen), "each brings others")
		handles = left
	}
}

// takesAsManyAsItSays: the app's bound is the one that the port names.
func takesAsManyAsItSays(t *testing.T, app rayApp) {
	t.Helper()
	c := newCouncil(t, app, 1)
	c.script(t, c.model, hangs())
	handles := c.submit(t)
	for n := len(handles); n < domain.MaxAwaited; n++ {
		other := handles[0]
		other.TurnID = c.attempt(n + 1).Asks[0].TurnID
		handles = append(handles, other)
	}
	seen, err := c.Await(t.Context(), handles, 0)
	require.NoError(t, err)
	require.Len(t, seen, domain.MaxAwaited)
	other := handles[0]
	other.TurnID = c.attempt(domain.MaxAwaited + 1).Asks[0].TurnID
	_, err = c.Await(t.Context(), append(handles, other), 0)
	require.Equal(t, domain.KindRejected, kindOf(t, err))
}

// forgetsTogether: turns of several deliberations are forgotten in one request, each by its own deliberation.
func forgetsTogether(t *testing.T, app rayApp) {
	t.Helper()
	first, second := newCouncil(t, app, 1), newCouncil(t, app, 1)
	second.submission.Owner = first.submission.Owner
	for _, c := range []council{first, second} {
		c.script(t, c.model, says(answerText))
	}
	one, other := first.submit(t)[0], second.submit(t)[0]
	first.see(t, one)
	first.see(t, other)
	require.NoError(t, first.Forget(t.Context(), first.order(one), second.order(other)))
	for _, c := range []council{first, second} {
		acceptance, err := c.Submit(t.Context(), c.submission)
		require.NoError(t, err)
		require.Equal(t, []domain.TurnID{c.id()}, acceptance.Cancelled)
		require.Equal(t, 1, c.calls(t, c.id()))
	}
}
