//go:build integration

package bench

import (
	"flag"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

var (
	repetitions = flag.Int("repeat", 5, "how often each row is measured; rows that take long are measured once")
	families    = flag.String("rows", ".", "the families that are measured: a regular expression")
	folder      = flag.String("docs", "", "the folder that gets performance.md and its plots; empty: the log only")
)

func TestMain(m *testing.M) { os.Exit(stack.Main(m)) }

// family is rows that one measurement fills. It runs alone: the others would take its processor.
type family struct {
	name    string
	measure func(t *testing.T, r *report)
}

var allFamilies = []family{
	{"throughput", measureThroughput},
	{"latency", measureLatency},
	{"turns", measureTurns},
	{"streaming", measureStreaming},
	{"waiting", measureWaiting},
	{"rush", measureRush},
	{"flight", measureFlight},
	{"statistics", measureStatistics},
	{"start", measureStart},
	{"double", measureDouble},
}

func TestBench(t *testing.T) {
	if *folder == "" && *families == "." {
		t.Skip("it takes half an hour: make bench")
	}
	wanted, err := regexp.Compile(*families)
	require.NoError(t, err)
	r := &report{began: time.Now()}
	t.Cleanup(func() {
		t.Logf("\n%s", r.tables())
		if *folder != "" {
			r.write(t, *folder)
		}
	})
	for _, each := range allFamilies {
		if !wanted.MatchString(each.name) {
			continue
		}
		t.Run(each.name, func(t *testing.T) {
			began := time.Now()
			each.measure(t, r)
			t.Logf("%s took %.0f s", each.name, time.Since(began).Seconds())
		})
	}
}
