package waiting_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/waiting"
	"deliberation.io/deliberation/domain"
)

// Each test runs in a bubble of its own. The bubble fails the test if a wait outlives its turns.
func bubble(t *testing.T, test func(*fakeCluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFakeCluster(t)) })
}

func TestTheFirstTurnIsAskedForAtOnceAndLaterOnesTogether(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		first := c.await("a", "t1")
		time.Sleep(10 * time.Millisecond)
		second := c.await("a", "t2")
		time.Sleep(100 * time.Millisecond)
		third := c.await("a", "t3")
		time.Sleep(time.Second)
		require.Equal(t, []request{
			{0, ids("t1"), 2 * time.Second},
			{250 * time.Millisecond, ids("t1 t2 t3"), 1750 * time.Millisecond},
		}, c.asked())

		fourth := c.await("a", "t4")
		synctest.Wait()
		require.Equal(t, 1110*time.Millisecond, c.asked()[2].at, "the wait was open for long")
		c.end(ids("t1 t2 t3 t4")...)
		for i, each := range []*waiter{first, second, third, fourth} {
			require.Equal(t, fmt.Sprintf("of t%d", i+1), each.last().seen.Completion.Text)
		}
		require.Equal(t, 1, len(c.asked())-2, "and all ends came in one answer")
	})
}

func TestACouncilThatEndsAtOnceWaitsForNothing(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		c.end(ids("t1 t2 t3")...)
		one, two, three := c.await("a", "t1"), c.await("a", "t2"), c.await("a", "t3")
		for _, each := range []*waiter{one, two, three} {
			require.Zero(t, each.last().at)
		}
	})
}

func TestManyShortTurnsShareTheirRequestsToo(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		for range 100 {
			c.end("t1", "t2")
			one, other := c.await("a", "t1"), c.await("a", "t2")
			one.last()
			other.last()
			time.Sleep(5 * time.Millisecond)
		}
		require.LessOrEqual(t, float64(len(c.asked())), 4+10*time.Since(c.begun).Seconds()+1)
	})
}

func TestUnderLoadEndsGather(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		const turns = 500
		var waiters []*waiter
		for n := range turns {
			waiters = append(waiters, c.await("a", domain.TurnID(fmt.Sprintf("t%03d", n))))
		}
		time.Sleep(time.Second)
		before, begun := len(c.asked()), time.Since(c.begun)
		for n := range turns { // 100 a second
			c.end(domain.TurnID(fmt.Sprintf("t%03d", n)))
			time.Sleep(10 * time.Millisecond)
		}
		for n, each := range waiters {
			ended := begun + time.Duration(n)*10*time.Millisecond
			require.LessOrEqual(t, each.last().at-ended, 100*time.Millisecond)
		}
		require.LessOrEqual(t, len(c.asked())-before, 10*5+5, "ten requests a second, and a few at once")
	})
}

func TestARunningTurnIsHeardOfNowAndThen(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		waits := c.await("a", "t1")
		time.Sleep(30 * time.Second)
		c.end("t1")
		waits.last()
		require.Equal(t, []time.Duration{2 * time.Second, 14 * time.Second, 26 * time.Second, 30 * time.Second}, waits.times())
		require.Len(t, c.asked(), 4)
	})
}

func TestATurnThatNobodyNamesHearsNothing(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		c.muted["t2"] = true
		named, overlooked := c.await("a", "t1"), c.await("a", "t2")
		time.Sleep(time.Minute)
		c.end("t1")
		named.last()
		require.Greater(t, len(named.heard), 4)
		overlooked.cancel()
		require.ErrorIs(t, overlooked.last().err, context.Canceled)
		require.Len(t, overlooked.heard, 1, "so that it doesn't heartbeat")
	})
}

func TestATurnThatFailsIsItsOwnResult(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		other := c.await("a", "t1")
		lost, unreadable := c.await("a", "t2"), c.await("a", "t3")
		c.change(func() {
			c.ended["t2"] = domain.Observation{TurnID: "t2", State: domain.RayUnknown}
			c.ended["t3"] = domain.Observation{TurnID: "t3", Unreachable: "local: can't be read"}
		})
		require.Equal(t, domain.RayUnknown, lost.last().seen.State)
		require.Equal(t, "local: can't be read", unreadable.last().seen.Unreachable)
		time.Sleep(time.Minute)
		c.end("t1")
		require.Equal(t, "of t1", other.last().seen.Completion.Text)
	})
}

func TestARunnerThatHangsHoldsUpNoOther(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		c.hung = "b"
		hung, other := c.await("b", "t1"), c.await("a", "t2")
		time.Sleep(time.Second)
		c.end("t1", "t2")
		require.Equal(t, time.Second, other.last().at)
		hung.cancel()
		require.Error(t, hung.last().err)
	})
}

func TestTurnsThatKeepComingHideNoHang(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		c.hung = "a"
		first := c.await("a", "t0")
		var later []*waiter
		for n := range 12 {
			time.Sleep(time.Second)
			later = append(later, c.await("a", domain.TurnID(fmt.Sprint(n+1))))
		}
		last := first.last()
		require.Equal(t, "no answer", last.seen.Unreachable)
		require.Less(t, last.at, 2*time.Second+clientMargin+time.Second, "before its heartbeat timeout")
		for _, each := range later {
			require.Equal(t, "no answer", each.last().seen.Unreachable)
		}
	})
}

func TestTurnsThatKeepComingLetASlowAppAnswer(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		c.latency = 600 * time.Millisecond
		waiters := []*waiter{c.await("a", "first"), c.await("a", "last")}
		for n := range 400 { // ten a second
			time.Sleep(100 * time.Millisecond)
			id := domain.TurnID(fmt.Sprint(n))
			waiters = append(waiters, c.await("a", id))
			switch {
			case n == 200:
				c.end("first")
			case n > 200:
				c.end(id)
			}
		}
		require.Less(t, waiters[0].last().at, 22*time.Second, "it ended after 20 s")
		require.LessOrEqual(t, len(c.asked()), 80, "most requests are left to their answers")
		for n := range 201 {
			c.end(domain.TurnID(fmt.Sprint(n)))
		}
		c.end("last")
		for _, each := range waiters {
			each.last()
		}
	})
}

func TestMoreTurnsThanOneRequestTakesAreSplit(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		var waiters []*waiter
		for n := range 2*domain.MaxAwaited + 1 {
			waiters = append(waiters, c.await("a", domain.TurnID(fmt.Sprint(n))))
			synctest.Wait() // so that the last one is alone in the third wait
		}
		time.Sleep(time.Second)
		require.Equal(t, 3, c.underWay())
		c.end(domain.TurnID(fmt.Sprint(2 * domain.MaxAwaited)))
		require.Equal(t, "of 2048", waiters[2*domain.MaxAwaited].last().seen.Completion.Text)
		synctest.Wait()
		require.Equal(t, 2, c.underWay(), "a wait without turns ends")
		var left []domain.TurnID
		for n := range 2 * domain.MaxAwaited {
			left = append(left, domain.TurnID(fmt.Sprint(n)))
		}
		c.end(left...)
		for n, each := range waiters {
			require.Equal(t, fmt.Sprintf("of %d", n), each.last().seen.Completion.Text)
		}
	})
}

func TestATurnThatIsCancelledLeavesTheWait(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		gone, stays := c.await("a", "t1"), c.await("a", "t2")
		time.Sleep(time.Second)
		gone.cancel()
		require.Error(t, gone.last().err)
		time.Sleep(2 * time.Second)
		require.Equal(t, ids("t2"), c.asked()[len(c.asked())-1].turns)
		stays.cancel()
		stays.last()
		synctest.Wait()
		require.Zero(t, c.underWay(), "nobody is waited for")
	})
}

func TestAWorkerThatStopsLeavesTheWait(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		early := c.await("a", "t1")
		time.Sleep(time.Second)
		close(c.stopping)
		late := c.await("a", "t2")
		for _, each := range []*waiter{early, late} {
			require.ErrorIs(t, each.last().err, waiting.ErrStopping)
			require.Equal(t, time.Second, each.last().at)
		}
		synctest.Wait()
		require.Zero(t, c.underWay(), "nobody is waited for")
		require.Len(t, c.asked(), 1, "and a turn that comes later isn't asked for")
	})
}

func TestTwoAttemptsOfOneActivityBothHear(t *testing.T) {
	bubble(t, func(c *fakeCluster) {
		stale, fresh := c.await("a", "t1"), c.await("a", "t1")
		time.Sleep(time.Second)
		require.Equal(t, ids("t1"), c.asked()[len(c.asked())-1].turns)
		c.end("t1")
		require.Equal(t, "of t1", stale.last().seen.Completion.Text)
		require.Equal(t, "of t1", fresh.last().seen.Completion.Text)
	})
}
