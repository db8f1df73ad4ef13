//go:build integration

package stack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/internal/freeport"
)

// Start starts one program of the stack, and waits until it is ready.
func Start(t *testing.T, program string) {
	t.Helper()
	out, err := exec.CommandContext(context.Background(), "python3", Path("deploy/dev/stack.py"), "start", program, "--home", At.Home).CombinedOutput()
	require.NoError(t, err, "start %s: %s", program, out)
}

// Stop stops one program of the stack.
func Stop(t *testing.T, program string) {
	t.Helper()
	supervisorctl(t, "stop", program)
}

func supervisorctl(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"-c", filepath.Join(At.Home, "supervisord.conf")}, args...)
	out, err := exec.CommandContext(context.Background(), Path(".dev/venv/bin/supervisorctl"), args...).CombinedOutput()
	require.NoError(t, err, "%v: %s", args, out)
	return string(out)
}

// Output is what a command printed, and its exit code.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Starter runs this run's starter.
func Starter(t require.TestingT, args ...string) Output {
	return StarterWith(t, nil, args...)
}

// StarterWith runs the starter with variables of its own.
func StarterWith(t require.TestingT, variables []string, args ...string) Output {
	return run(t, variables, filepath.Join(built, "starter"), args...)
}

// Command runs a program.
func Command(t require.TestingT, program string, args ...string) Output {
	return run(t, nil, program, args...)
}

// TemporalCLI runs the temporal command.
func TemporalCLI(t require.TestingT, args ...string) Output {
	return run(t, nil, Path("bin/temporal"), append(args, "--address", At.TemporalAddress)...)
}

func run(t require.TestingT, variables []string, program string, args ...string) Output {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(append(os.Environ(), "TEMPORAL_ADDRESS="+At.TemporalAddress), variables...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit, "%s %v", program, args)
	}
	return Output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// FreeAddress returns an address that nobody listens at.
func FreeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freeport.Find(t))
}

// Eventually waits for a state of another process.
func Eventually(t *testing.T, what string, holds func(c *assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, holds, Patience, 50*time.Millisecond, what)
}
