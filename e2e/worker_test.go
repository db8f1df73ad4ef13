//go:build integration

package e2e

import (
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

// worker is a worker process.
type worker struct {
	cmd     *exec.Cmd
	log     string
	address string // of its probes and metrics
}

// startWorker runs a worker on a task queue of its own, so that tests don't meet. Settings replace the
// stack's; an empty value unsets.
func startWorker(t *testing.T, taskQueue string, settings ...string) *worker {
	t.Helper()
	address := freeAddress(t)
	log, err := os.CreateTemp(t.TempDir(), "worker*.log")
	require.NoError(t, err)
	w := &worker{cmd: exec.Command(filepath.Join(built, "worker")), log: log.Name(), address: address}
	w.cmd.Stdout, w.cmd.Stderr = log, log
	ours := slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "DELIBERATION_TEST_") })
	w.cmd.Env = append(append(ours, "DELIBERATION_TASK_QUEUE="+taskQueue, "DELIBERATION_HTTP_ADDR="+address), settings...)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() {
		_ = w.cmd.Process.Signal(syscall.SIGTERM)
		_ = w.cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(w.log)
			t.Logf("worker log:\n%s", tail(string(text), 40))
		}
	})
	eventually(t, "worker is ready", func(c *assert.CollectT) {
		response, err := asking.Get("http://" + address + "/readyz")
		require.NoError(c, err)
		defer response.Body.Close()
		require.Equal(c, http.StatusOK, response.StatusCode)
	})
	return w
}

// kill ends the worker as a crash does.
func (w *worker) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, w.cmd.Process.Kill())
	_ = w.cmd.Wait()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// queueOf names a task queue for the test.
func queueOf(t *testing.T) string {
	t.Helper()
	return "e2e-" + strings.NewReplacer("/", "-", " ", "-").Replace(strings.ToLower(t.Name()))
}
