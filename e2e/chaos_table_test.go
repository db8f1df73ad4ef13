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

func (t *table) add(r row, allowed allowance, n figures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines = map[string]string{}
	}
	t.lines[r.name] = fmt.Sprintf("| %s | %d | %d | %d | %d | %d (%d) | %d (%d) | %d | %d | %d | %d | %.1f s (%.0f s) |\n",
		r.name, n.accepted, n.asTheyMust, n.wrong, n.calls, n.beyond, allowed.calls, n.paid, allowed.paid,
		n.lost, n.doubled, n.disordered, n.left, n.recovery.Seconds(), allowed.recovery.Seconds())
}

// print shows the rows in their order, and keeps them in the file that was asked for.
func (t *table) print(tb testing.TB) {
	tb.Helper()
	var text strings.Builder
	text.WriteString(tableHead)
	for _, r := range allRows() {
		text.WriteString(t.lines[r.name])
	}
	fmt.Fprintf(&text, "\nSeed %d, %d rows, %.0f s, allowed times × %g.\n", t.seed, len(t.lines), time.Since(t.began).Seconds(), *chaosSlow)
	fmt.Print("\n" + text.String() + "\n")
	if *chaosTable != "" {
		require.NoError(tb, os.WriteFile(*chaosTable, []byte(text.String()), 0o600))
	}
}
