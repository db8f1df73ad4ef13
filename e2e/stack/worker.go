//go:build integration

package stack

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Worker is a worker process.
type Worker struct {
	Address string // of its probes and metrics

	cmd *exec.Cmd
	log string
}

// StartWorker runs a worker on a task queue of the test's own and waits until it is ready. Settings replace
// those of the stack; an empty value unsets one.
func StartWorker(t *testing.T, taskQueue string, settings ...string) *Worker {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "worker*.log")
	require.NoError(t, err)
	w := &Worker{cmd: exec.Command(filepath.Join(built, "worker")), log: log.Name(), Address: FreeAddress(t)}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	inherited := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "DELIBERATION_TEST_") })
	w.cmd.Env = append(append(inherited, "DELIBERATION_TASK_QUEUE="+taskQueue, "DELIBERATION_HTTP_ADDR="+w.Address), settings...)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		_ = w.cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			t.Logf("worker log:\n%s", tail(w.Log(t), 40))
		}
	})
	Eventually(t, "the worker is ready", func(c *assert.CollectT) {
		response, err := HTTP.Get("http://" + w.Address + "/readyz")
		require.NoError(c, err)
		defer response.Body.Close()
		require.Equal(c, http.StatusOK, response.StatusCode)
	})
	return w
}

// PID is the worker's process id.
func (w *Worker) PID() int { return w.cmd.Process.Pid }

// Kill ends the worker as a crash does.
func (w *Worker) Kill(t *testing.T) {
	t.Helper()
	require.NoError(t, w.cmd.Process.Kill())
	_ = w.cmd.Wait()
}

// Freeze lets the worker do nothing until it is thawed.
func (w *Worker) Freeze(t *testing.T) {
	t.Helper()
	require.NoError(t, w.cmd.Process.Signal(syscall.SIGSTOP))
	t.Cleanup(func() { _ = w.cmd.Process.Signal(syscall.SIGCONT) }) // a frozen worker doesn't end
}

// Thaw lets a frozen worker go on.
func (w *Worker) Thaw(t *testing.T) {
	t.Helper()
	require.NoError(t, w.cmd.Process.Signal(syscall.SIGCONT))
}

// Terminate asks the worker to stop.
func (w *Worker) Terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, w.cmd.Process.Signal(syscall.SIGTERM))
}

// Wait waits until the worker has ended, and returns an error if its exit code is not 0.
func (w *Worker) Wait() error { return w.cmd.Wait() }

// Log returns what the worker has logged so far.
func (w *Worker) Log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(w.log)
	require.NoError(t, err)
	return string(text)
}

// Metrics returns what the worker exports to Prometheus.
func (w *Worker) Metrics(t require.TestingT) string { return Scrape(t, w.Address) }

// Scrape reads the metrics of a process.
func Scrape(t require.TestingT, address string) string {
	response, err := HTTP.Get("http://" + address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
