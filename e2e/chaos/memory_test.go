//go:build integration

package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"deliberation.io/deliberation/e2e/stack"
)

const (
	grownBy    = 1.2 // times the median of the middle third is what the last third's median may be,
	grownFloor = 8.0 // and this many MiB, since a garbage collector may be late
)

// memory is what processes hold, in MiB, measured once a second.
type memory struct {
	pids   map[string]int
	series map[string][]float64
	ended  chan struct{}
	done   chan struct{}
}

// watchMemory watches a worker, the gateway, and the last runner.
func watchMemory(t *testing.T, w *stack.Worker) *memory {
	t.Helper()
	all := stack.Runners(t)
	m := &memory{
		pids: map[string]int{
			"worker": w.PID(), "gateway": stack.RayProcess(t, "ray::ServeReplica:deliberation:"), "runner": all[len(all)-1].PID,
		},
		series: map[string][]float64{}, ended: make(chan struct{}), done: make(chan struct{}),
	}
	go m.sample()
	return m
}

func (m *memory) sample() {
	defer close(m.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for name, pid := range m.pids {
			m.series[name] = append(m.series[name], stack.ResidentMiB(pid))
		}
		select {
		case <-tick.C:
		case <-m.ended:
			return
		}
	}
}

func (m *memory) stop() {
	close(m.ended)
	<-m.done
}

// thirds are the medians of the middle and of the last third. The first third is for warming up.
func thirds(series []float64) (middle, last float64) {
	n := len(series)
	return median(series[n/3 : 2*n/3]), median(series[2*n/3:])
}

func median(series []float64) float64 {
	if len(series) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(series))
	return sorted[len(sorted)/2]
}

// grown lists the processes whose memory is not flat.
func (m *memory) grown() []string {
	var grown []string
	for _, name := range slices.Sorted(maps.Keys(m.series)) {
		middle, last := thirds(m.series[name])
		if last > grownBy*middle+grownFloor || last == 0 {
			grown = append(grown, fmt.Sprintf("memory of the %s: %.0f MiB, then %.0f MiB", name, middle, last))
		}
	}
	return grown
}

func (m *memory) String() string {
	var text strings.Builder
	text.WriteString("| memory, MiB | middle third | last third |\n|---|--:|--:|\n")
	for _, name := range slices.Sorted(maps.Keys(m.series)) {
		middle, last := thirds(m.series[name])
		fmt.Fprintf(&text, "| %s | %.0f | %.0f |\n", name, middle, last)
	}
	return text.String()
}

func TestGrowingMemoryIsNoticed(t *testing.T) {
	growing := make([]float64, 0, 90)
	for i := range 90 {
		growing = append(growing, 100+3*float64(i))
	}
	flat := slices.Repeat([]float64{150, 155}, 45)
	m := &memory{series: map[string][]float64{"growing": growing, "flat": flat, "gone": make([]float64, 90)}}
	if grown := m.grown(); len(grown) != 2 {
		t.Errorf("want the one that grows and the one that is gone, got %v", grown)
	}
}
