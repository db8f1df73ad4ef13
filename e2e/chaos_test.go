//go:build integration

package e2e

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"
)

var (
	chaosSeed  = flag.Uint64("seed", 0, "of TestChaos and TestSoak: decides moments, victims and sizes; 0 takes one from the clock")
	chaosAll   = flag.Bool("matrix", false, "of TestChaos: every row, not only the quick ones")
	chaosSlow  = flag.Float64("slower", 10, "of TestChaos: how many times more time the rows have, on a machine that others use too")
	chaosTable = flag.String("table", "", "of TestChaos: the file that gets the table")
)

const (
	// atATime is how many rows share the stack: on two cores, more of them only wait for each other.
	atATime = 2
	// bustle is what twenty deliberations that end together take on two cores, with another row's beside them.
	bustle = 20 * time.Second
	// unanswered is when a stop is given up that nobody answers.
	unanswered = 20 * time.Second
)

// row is one fault, met by at least twenty deliberations in flight, and what it may cost.
type row struct {
	name   string
	allows allowance
	quick  bool // takes a minute at most: also part of `make test`
	alone  bool // hurts what the other rows use
	story  func(f *field)
}

// allowance is what a fault may cost, stated before it happens. No row may lose an event, store one twice
// within the stream's duplicate window or out of order, or end a deliberation otherwise than it must.
type allowance struct {
	// calls of the model beyond the necessary: one for each turn that dies with its runner, counted right
	// before.
	calls int
	// paid is how many answers may be paid for twice: none, or with unheard as many as turns die. Each may have
	// been answered by then; a Ray that is told to stop even closes its door before its runners end.
	paid    int
	unheard bool
	// recovery is the time from the fault's end to the last deliberation's.
	recovery time.Duration
	// left is how long work may outlive its deliberation on Ray.
	left time.Duration
}

// TestChaos puts faults to a running system and counts what they cost.
func TestChaos(t *testing.T) {
	seed := seedOf(t)
	results := &table{seed: seed, began: time.Now()}
	t.Cleanup(func() { fmt.Printf("\n%s\n", results) })
	room := semaphore.NewWeighted(atATime)
	for _, r := range allRows() {
		if !r.quick && !*chaosAll {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			if !r.alone {
				t.Parallel()
				require.NoError(t, room.Acquire(t.Context(), 1))
				defer room.Release(1)
			}
			f := newField(t, r, seed)
			r.story(f)
			f.settle()
			found := f.count()
			results.add(t, r, f.allowed(), found)
			for _, broken := range found.breaks(f.allowed()) {
				t.Error(broken)
			}
		})
	}
}

func allRows() []row {
	return slices.Concat(workerRows, rayRows, wireRows, serverRows, modelRows, callerRows, clusterRows)
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("the same again: -seed %d", seed)
	return seed
}

// chance is a row's own: what it decides doesn't depend on the rows beside it.
func chance(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}
