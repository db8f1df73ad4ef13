package waiting_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func silence(after time.Duration) error {
	return &domain.Error{Kind: domain.KindUnreachable, Op: "await", Err: errors.New("local: connection reset"), RetryAfter: after}
}

func TestALostConnectionIsNoNews(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		waits := c.await("a", "t1")
		time.Sleep(time.Second)
		c.fail(silence(0))
		time.Sleep(1500 * time.Millisecond)
		c.fail(nil)
		time.Sleep(time.Second)
		c.end("t1")
		waits.last()
		for _, word := range waits.heard {
			require.Empty(t, word.seen.Unreachable)
		}
	})
}

func TestSilenceIsCountedInTime(t *testing.T) {
	for name, test := range map[string]struct {
		err     error
		heardAt time.Duration
	}{
		"asked again until nobody has answered for two seconds": {silence(0), 3 * time.Second},
		"the app is left alone for as long as it asks":          {silence(time.Second), 3 * time.Second},
		"and the turns leave it alone for longer":               {silence(5 * time.Second), time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(c *fakeCluster) {
				one, other := c.await("a", "t1"), c.await("a", "t2")
				time.Sleep(time.Second)
				c.fail(test.err)
				for _, each := range []*waiter{one, other} {
					last := each.last()
					require.Equal(t, "local: connection reset", last.seen.Unreachable)
					require.InDelta(t, test.heardAt, last.at, float64(300*time.Millisecond))
				}
				require.LessOrEqual(t, len(c.asked()), 12)
			})
		})
	}
}

func TestAnErrorOfNoKnownKindReachesAll(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		one, other := c.await("a", "t1"), c.await("a", "t2")
		time.Sleep(time.Second)
		c.fail(errors.New("surprise"))
		require.EqualError(t, one.last().err, "surprise")
		require.EqualError(t, other.last().err, "surprise")
	})
}
