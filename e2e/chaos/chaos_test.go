//go:build integration

package chaos

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"deliberation.io/deliberation/e2e/stack"
)

var (
	chaosSeed  = flag.Uint64("seed", 0, "of TestChaos and TestSoak: decides what happens by chance; 0 takes one from the clock")
	chaosAll   = flag.Bool("matrix", false, "of TestChaos: every experiment, not only the short ones")
	chaosSlow  = flag.Float64("slower", 10, "of TestChaos: how many times more time is allowed, on a machine that others use too")
	chaosTable = flag.String("table", "", "of TestChaos: the file that gets the table")
)

// sideBySide is how many experiments share the stack. On two cores, more of them only wait for each other.
const sideBySide = 2

func TestMain(m *testing.M) { os.Exit(stack.Main(m)) }

// experiment is one fault that meets at least twenty deliberations in flight, and what it may cost.
type experiment struct {
	name   string
	allows allowance
	short  bool // takes a minute at most: also a part of `make test`
	alone  bool // hurts what the other experiments use
	run    func(l *lab)

	reviewed bool // its councils review and revise; the fault comes in these phases
}

func allExperiments() []experiment {
	return slices.Concat(workerFaults, rayFaults, networkFaults, serverFaults, modelFaults, callerFaults, clusterFaults, reviewFaults)
}

func TestChaos(t *testing.T) {
	seed := seedOf(t)
	results := &table{seed: seed, began: time.Now()}
	t.Cleanup(func() { fmt.Printf("\n%s\n", results) })
	room := semaphore.NewWeighted(sideBySide)
	for _, e := range allExperiments() {
		if !e.short && !*chaosAll {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			if !e.alone {
				t.Parallel()
				require.NoError(t, room.Acquire(t.Context(), 1))
				defer room.Release(1)
			}
			l := newLab(t, e, seed)
			e.run(l)
			l.awaitEnds()
			found := l.count()
			results.add(t, e.name, l.limits(), found)
			for _, violation := range found.violations(l.limits()) {
				t.Error(violation)
			}
		})
	}
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("to repeat this run: -seed %d", seed)
	return seed
}

// chanceOf makes the random numbers of one experiment. They don't depend on the other experiments.
func chanceOf(seed uint64, name string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, hash.Sum64()))
}
