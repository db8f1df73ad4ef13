//go:build integration

package chaos

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// table is the cost of each experiment, in the form of docs/reliability.md.
type table struct {
	seed  uint64
	began time.Time

	mu    sync.Mutex
	lines map[string]string
}

const tableHead = `| fault | in flight | ended as they must | wrong | calls needed | beyond (allowed) | paid twice (allowed) | events lost | doubled | out of order | left on Ray | recovered in (allowed) |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`

// add adds an experiment, and writes the table so far to the file of the -table flag.
func (t *table) add(tb testing.TB, name string, allowed limits, n cost) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines = map[string]string{}
	}
	t.lines[name] = fmt.Sprintf("| %s | %d | %d | %d | %d | %d (%d) | %d (%d) | %d | %d | %d | %d | %.1f s (%.0f s) |\n",
		name, n.accepted, n.asTheyMust, n.wrong, n.calls, n.beyond, allowed.calls, n.paid, allowed.paid,
		n.lost, n.doubled, n.disordered, n.left, n.recovery.Seconds(), allowed.recovery.Seconds())
	if *chaosTable != "" {
		require.NoError(tb, os.WriteFile(*chaosTable, []byte(t.String()), 0o600))
	}
}

// String prints the experiments in their fixed order.
func (t *table) String() string {
	var text strings.Builder
	text.WriteString(tableHead)
	for _, e := range allExperiments() {
		text.WriteString(t.lines[e.name])
	}
	fmt.Fprintf(&text, "\nSeed %d, %d faults, %.0f s, allowed times × %g.\n", t.seed, len(t.lines), time.Since(t.began).Seconds(), *chaosSlow)
	return text.String()
}
