//go:build integration

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// table is what a run of the rows found, for docs/reliability.md.
type table struct {
	seed  uint64
	began time.Time

	mu    sync.Mutex
	lines map[string]string
}

const tableHead = `| fault | in flight | ended as they must | wrong | calls needed | beyond (allowed) | paid twice (allowed) | events lost | doubled | out of order | left on Ray | recovered in (allowed) |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`

// add takes a row, and keeps what there is so far in the file that was asked for.
func (t *table) add(tb testing.TB, r row, allowed allowance, n figures) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines = map[string]string{}
	}
	t.lines[r.name] = fmt.Sprintf("| %s | %d | %d | %d | %d | %d (%d) | %d (%d) | %d | %d | %d | %d | %.1f s (%.0f s) |\n",
		r.name, n.accepted, n.asTheyMust, n.wrong, n.calls, n.beyond, allowed.calls, n.paid, allowed.paid,
		n.lost, n.doubled, n.disordered, n.left, n.recovery.Seconds(), allowed.recovery.Seconds())
	if *chaosTable != "" {
		require.NoError(tb, os.WriteFile(*chaosTable, []byte(t.String()), 0o600))
	}
}

// String has the rows in their order.
func (t *table) String() string {
	var text strings.Builder
	text.WriteString(tableHead)
	for _, r := range allRows() {
		text.WriteString(t.lines[r.name])
	}
	fmt.Fprintf(&text, "\nSeed %d, %d rows, %.0f s, allowed times × %g.\n", t.seed, len(t.lines), time.Since(t.began).Seconds(), *chaosSlow)
	return text.String()
}
