package activities

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/fakes"
	"deliberation.io/deliberation/workflows/contract"
)

// silentRay never answers a wait.
type silentRay struct{ domain.RayCluster }

func (silentRay) Await(ctx context.Context, _ []domain.Handle, _ time.Duration) ([]domain.Observation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Go halves a stack, at a garbage collection, only if less than a quarter of it is in use. A heartbeat needs 16 KiB for
// a moment. If the wait itself needed more than a few hundred bytes, each waiting turn would keep such a stack.
func TestAwaitTurn_WaitsOnASmallStack(t *testing.T) {
	const turns, each = 1000, 9 << 10
	s := newSet(Dependencies{Clusters: map[string]domain.RayCluster{"local": silentRay{}}})
	suite := testsuite.WorkflowTestSuite{}
	suite.SetLogger(fakes.SilentLogger())
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerStopChannel(make(chan struct{}))
	env.RegisterActivity(func(ctx context.Context) error { // waits have the context of an activity
		ctx, end := context.WithCancel(ctx)
		before := stacks()
		var waits sync.WaitGroup
		var begun sync.WaitGroup
		for range turns {
			begun.Add(1)
			waits.Go(func() {
				deep(3)
				begun.Done()
				_, err := s.awaitTurn(ctx, contract.AwaitTurnInput{Handle: contract.Handle{Cluster: "local", Runner: "r"}})
				require.ErrorIs(t, err, context.Canceled)
			})
		}
		begun.Wait()
		require.Eventually(t, func() bool { return (stacks()-before)/turns <= each }, 10*time.Second, 10*time.Millisecond,
			"a waiting turn needs a larger stack")
		end()
		waits.Wait()
		return nil
	})
	_, err := env.ExecuteActivity("func1")
	require.NoError(t, err)
}

// deep uses 4 KiB of stack for each step.
func deep(steps int) (sum byte) {
	var room [4 << 10]byte
	if steps > 0 {
		room[steps] = deep(steps - 1)
	}
	for _, each := range &room {
		sum += each
	}
	return sum
}

// stacks returns the size of all stacks after a garbage collection.
func stacks() int {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
