//go:build integration

package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/e2e/stack"
)

// processes are the processes of the stack whose processor time is read, by part.
type processes map[string][]int

// processesOf finds the parts of the stack. The runners and the gateway are the Ray app; the proxy is Ray's own.
func processesOf(t *testing.T, w *stack.Worker) processes {
	t.Helper()
	found := processes{"temporal": {stack.ProgramProcess(t, "temporal")}}
	if w != nil {
		found["worker"] = []int{w.PID()}
	}
	found["gateway"] = []int{stack.RayProcess(t, "ray::ServeReplica:deliberation:")}
	found["proxy"] = []int{stack.RayProcess(t, "ray::ProxyActor")}
	for _, runner := range stack.Runners(t) {
		found["runner"] = append(found["runner"], runner.PID)
	}
	return found
}

// seconds is processor time by part.
type seconds map[string]float64

func (p processes) seconds(t *testing.T) seconds {
	t.Helper()
	used := seconds{}
	for part, pids := range p {
		for _, pid := range pids {
			used[part] += secondsOf(t, pid)
		}
	}
	return used
}

// megabytes returns the resident memory of a part.
func (p processes) megabytes(part string) (held float64) {
	for _, pid := range p[part] {
		held += stack.ResidentMiB(pid)
	}
	return held
}

func (s seconds) since(before seconds) seconds {
	spent := seconds{}
	for part := range s {
		spent[part] = s[part] - before[part]
	}
	return spent
}

// onRay is the processor time of everything that a turn uses on Ray.
func (s seconds) onRay() float64 { return s["proxy"] + s["gateway"] + s["runner"] }

// secondsOf returns the processor time that a process has used.
func secondsOf(t *testing.T, pid int) float64 {
	t.Helper()
	const ticksPerSecond = 100 // Linux fixes it for user space
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / ticksPerSecond
}
