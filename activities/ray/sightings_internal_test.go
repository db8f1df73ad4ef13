package ray

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestSightings_AClusterIsGoneOnceOnlyAnotherOneAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sightings
		turns := []domain.Handle{{TurnID: "t1", Incarnation: "c1.p1.i"}}
		other := &domain.Error{Kind: domain.KindUnavailable, Err: otherClusterError{said: "m"}}
		missFor := func(long time.Duration) (gone bool) {
			for until := time.Now().Add(long); !time.Now().After(until); time.Sleep(10 * time.Second) {
				gone = s.gone(other, turns, awayFor)
			}
			return gone
		}
		require.False(t, missFor(awayFor-20*time.Second))
		require.False(t, s.gone(errors.New("no answer"), turns, awayFor), "silence says nothing")

		s.saw("c1.p1.j") // another runner of it
		require.False(t, missFor(awayFor-20*time.Second))
		s.saw("c2.p2.i")
		require.True(t, missFor(30*time.Second))

		time.Sleep(missedPause + time.Second) // nobody asked meanwhile
		require.False(t, s.gone(other, turns, awayFor))
		require.False(t, s.gone(nil, turns, 0))
	})
}
