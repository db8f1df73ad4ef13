//go:build integration

package stack

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RayProcess finds the process of the stack's first Ray whose title has the prefix.
func RayProcess(t *testing.T, title string) int {
	t.Helper()
	ray := ProgramProcess(t, "ray")
	titles, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range titles {
		text, _ := os.ReadFile(file) // a process may be gone by now
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if bytes.HasPrefix(text, []byte(title)) && descends(pid, ray) {
			return pid
		}
	}
	require.Fail(t, "no process "+title)
	return 0
}

// ProgramProcess returns the process id of one of the stack's programs.
func ProgramProcess(t *testing.T, program string) int {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(supervisorctl(t, "pid", program)))
	require.NoError(t, err)
	require.NotZero(t, pid, "the stack's %s doesn't run", program)
	return pid
}

func descends(pid, from int) bool {
	for ; pid > 1; pid = parentOf(pid) {
		if pid == from {
			return true
		}
	}
	return false
}

func parentOf(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// ResidentMiB returns the memory that a process holds, or 0 when the process is gone.
func ResidentMiB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages*os.Getpagesize()) / (1 << 20)
}
