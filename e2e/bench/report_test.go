//go:build integration

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// line is one row of the tables.
type line struct {
	second  bool   // of the second table
	what    string // the figure and its unit
	against string // what the base is; the first table has the no-op workflow
	base    series
	ours    series
	ratio   series // of ours by the base; empty: none
	target  string
	met     bool
	short   string // the bottleneck, shown if the target isn't met
	note    string
}

// report is what a run has measured.
type report struct {
	began time.Time
	lines []line
	plots []plot
}

func (r *report) add(l line) { r.lines = append(r.lines, l) }

func (l line) row() string {
	verdict := "met"
	if !l.met {
		verdict = "**not met**: " + l.short
	}
	if l.note != "" {
		verdict += ". " + strings.ToUpper(l.note[:1]) + l.note[1:]
	}
	cells := []string{l.what}
	if l.second {
		cells = append(cells, l.against)
	}
	return "| " + strings.Join(append(cells, l.base.String(), l.ours.String(), l.ratio.String(), l.target, verdict), " | ") + " |\n"
}

const (
	firstHead = `| | no-op workflow | deliberation of 3 agents | ratio | to reach | |
|---|--:|--:|--:|---|---|
`
	secondHead = `| | against | that | measured | ratio | to reach | |
|---|---|--:|--:|--:|---|---|
`
)

func (r *report) tables() string {
	first, second := firstHead, secondHead
	for _, l := range r.lines {
		if l.second {
			second += l.row()
		} else {
			first += l.row()
		}
	}
	return first + "\n" + second
}

const page = `# Performance

` + "`make bench`" + ` measures this page in one run, with everything on one machine and all connections over loopback. The
figures are medians, with the least and the most of %d repetitions in brackets; figures without brackets were measured once.
A ratio is that of the values that were measured right after each other.

- The **no-op workflow** has the stages of a deliberation and activities that do nothing: one, then three in parallel. It runs
  on the same Temporal with the same settings of the worker.
- The **model** is a server in Go that answers at once, or after the time that the row names. It costs next to nothing.
- CPU is the user and system time of the processes, from /proc.
- ADR 10 has the profiles behind the bottlenecks: [where the time goes](adr/0010-where-the-time-goes.md).
- Unit tests assert what doesn't depend on the machine: events, state transitions and bytes of a history
  ([cost_test.go](../workflows/cost_test.go)).

## A deliberation next to a workflow that does nothing
%s
## The system next to the plain ways to do the same
%s
## Plots
%s
## The run
%s
`

// write writes the page and its plots.
func (r *report) write(t *testing.T, folder string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "performance"), 0o750))
	var shown strings.Builder
	for _, p := range r.plots {
		file := filepath.Join("performance", p.name+".svg")
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(p.svg()), 0o600))
		fmt.Fprintf(&shown, "![%s](%s)\n\n", p.title, file)
	}
	first, second, _ := strings.Cut(r.tables(), "\n\n")
	text := fmt.Sprintf(page, *repetitions, first+"\n", second, strings.TrimRight(shown.String(), "\n")+"\n", r.machine())
	require.NoError(t, os.WriteFile(filepath.Join(folder, "performance.md"), []byte(text), 0o600))
}

// machine says on what the run was made, and with what.
func (r *report) machine() string {
	facts := []string{
		fmt.Sprintf("%s, %.0f minutes", r.began.UTC().Format(time.DateOnly), time.Since(r.began).Minutes()),
		fmt.Sprintf("%d cores, %s; %s; load average %s at the end", runtime.NumCPU(), processor(), memory(), firstField("/proc/loadavg")),
		"Linux " + firstField("/proc/sys/kernel/osrelease") + ", " + runtime.Version(),
		outputOf("bin/temporal", "--version"),
		outputOf("bin/nats-server", "--version"),
		outputOf(".dev/venv/bin/python", "-c", "import platform, ray; print('Python', platform.python_version() + ', Ray', ray.__version__)"),
	}
	return "- " + strings.Join(facts, "\n- ")
}

func outputOf(program string, args ...string) string {
	out, err := exec.Command(inProject(program), args...).Output()
	if err != nil {
		return program + ": unknown version"
	}
	return strings.TrimSpace(string(out))
}

func firstField(file string) string {
	text, _ := os.ReadFile(file)
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return "unknown"
	}
	return fields[0]
}

func processor() string { return after("/proc/cpuinfo", "model name") }

func memory() string { return "memory " + after("/proc/meminfo", "MemTotal") }

// after returns what a file of /proc says after a word.
func after(file, word string) string {
	text, _ := os.ReadFile(file)
	for l := range strings.SplitSeq(string(text), "\n") {
		if name, value, found := strings.Cut(l, ":"); found && strings.TrimSpace(name) == word {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
