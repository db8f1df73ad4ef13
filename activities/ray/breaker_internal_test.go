package ray

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func silent(why string) error {
	return &domain.Error{Kind: domain.KindUnreachable, Op: "submit to a", Err: errors.New(why)}
}

// ends makes calls that all end in the same way.
func (b *breaker) ends(t *testing.T, calls int, err error) {
	t.Helper()
	for range calls {
		done, refused := b.admit(skipWhenOpen)
		require.NoError(t, refused)
		done(err)
	}
}

// goesSilent makes calls for as long as the breaker lets them.
func (b *breaker) goesSilent(t *testing.T, why string) {
	t.Helper()
	b.ends(t, 1, silent(why))
	time.Sleep(tripAfter)
	b.ends(t, 1, silent(why))
}

func TestBreaker_KeepsCallsFromAClusterThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b := newBreaker("a", func(from, to BreakerState, why string) {
			changes = append(changes, from.String()+" → "+to.String()+": "+why)
		})
		b.goesSilent(t, "connection refused")

		_, refused := b.admit(skipWhenOpen)
		require.ErrorContains(t, refused, "connection refused", "the reason is still shown")
		_, refused = b.admit(probeWhenOpen)
		require.Error(t, refused, "not even a look is allowed")
		done, refused := b.admit(always)
		require.NoError(t, refused, "a stop is always tried")
		done(nil)

		time.Sleep(openFor + time.Millisecond)
		_, refused = b.admit(skipWhenOpen)
		require.Error(t, refused, "a probe goes first")
		probe, refused := b.admit(probeWhenOpen)
		require.NoError(t, refused)
		_, refused = b.admit(probeWhenOpen)
		require.Error(t, refused, "one at a time")
		probe(silent("no answer within 5s"))
		_, refused = b.admit(skipWhenOpen)
		require.ErrorContains(t, refused, "no answer within 5s")

		time.Sleep(openFor + time.Millisecond)
		probe, refused = b.admit(probeWhenOpen)
		require.NoError(t, refused)
		probe(nil)
		b.ends(t, 1, nil)
		require.Equal(t, []string{
			"closed → open: connection refused", "open → half-open: connection refused", "half-open → open: no answer within 5s",
			"open → half-open: no answer within 5s", "half-open → closed: no answer within 5s",
		}, changes)
	})
}

func TestBreaker_OnlySilenceCounts(t *testing.T) {
	for name, err := range map[string]error{
		"an answer":             nil,
		"no room":               &domain.Error{Kind: domain.KindFull, Op: "submit", Err: errors.New("full")},
		"a runner that is away": &domain.Error{Kind: domain.KindUnavailable, Op: "submit", Err: errors.New("503")},
		"a refused token":       &domain.Error{Kind: domain.KindDenied, Op: "submit", Err: errors.New("401")},
		"a caller that left":    context.Canceled,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreaker("a", nil)
			b.ends(t, 15, err)
			require.Equal(t, BreakerClosed, BreakerState(b.steps.State()))
		})
	}
}

func TestBreaker_AnAnswerInBetweenStartsTheCountAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("a", nil)
		for range 3 {
			b.ends(t, 4, silent("reset"))
			time.Sleep(tripAfter - time.Millisecond)
			b.ends(t, 1, nil)
		}
		b.ends(t, 4, silent("reset"))
		require.Equal(t, BreakerClosed, BreakerState(b.steps.State()))
	})
}

func TestBreaker_ABurstIsNoSign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("a", nil)
		b.ends(t, 1, nil)
		b.ends(t, 100, silent("reset")) // a gateway dies with a hundred waits
		require.Equal(t, BreakerClosed, BreakerState(b.steps.State()))

		time.Sleep(tripAfter)
		b.ends(t, 1, silent("reset"))
		require.Equal(t, BreakerOpen, BreakerState(b.steps.State()))
	})
}

// TestBreaker_CountsTimeAndNotCalls: a worker that waits for many turns in one request makes few calls.
func TestBreaker_CountsTimeAndNotCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("a", nil)
		b.ends(t, 1, silent("reset"))
		time.Sleep(time.Hour) // nobody asks
		require.Equal(t, BreakerClosed, BreakerState(b.steps.State()), "one call is no sign")
		b.ends(t, 1, silent("reset"))
		require.Equal(t, BreakerOpen, BreakerState(b.steps.State()))
	})
}

func TestBreaker_ACallersOwnTimeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker("a", nil)
		b.ends(t, 1, context.DeadlineExceeded)
		time.Sleep(tripAfter)
		b.ends(t, 1, context.DeadlineExceeded)
		_, refused := b.admit(skipWhenOpen)
		require.ErrorContains(t, refused, "no answer in time")
	})
}
