//go:build integration

// Package e2e runs deliberations on a real Temporal, Ray and NATS, and kills things meanwhile.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// stack is the running stack that the tests use: `make integration` starts it and says where it is.
var stack struct {
	Home            string `json:"home"`
	TemporalAddress string `json:"temporal_address"`
	NATSURL         string `json:"nats_url"`
	RayAppURL       string `json:"ray_app_url"`
	ModelURL        string `json:"model_url"`
	RayToken        string `json:"ray_token"`
	RayAddress      string `json:"ray_address"`
}

// built is where this run's worker and starter are.
var built string

var temporalClient client.Client

func TestMain(m *testing.M) {
	os.Exit(func() int {
		home := os.Getenv("STACK_HOME")
		if home == "" {
			fmt.Fprintln(os.Stderr, "e2e: no stack; run them with `make integration`")
			return 1
		}
		if err := setUp(home); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			return 1
		}
		defer os.RemoveAll(built)
		defer temporalClient.Close()
		return m.Run()
	}())
}

func setUp(home string) error {
	text, err := os.ReadFile(filepath.Join(home, "stack.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &stack); err != nil {
		return err
	}
	if built, err = os.MkdirTemp("", "e2e"); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", built+"/", "../worker", "../starter")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	temporalClient, err = client.Dial(client.Options{HostPort: stack.TemporalAddress, Logger: quiet{}})
	return err
}

// quiet drops the SDK's own lines: the tests say what went wrong.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

var _ sdklog.Logger = quiet{}

// control starts, stops or kills one program of the stack.
func control(t *testing.T, verb, program string) {
	t.Helper()
	out, err := exec.CommandContext(context.Background(), "python3", "../deploy/dev/stack.py", verb, program, "--home", stack.Home).CombinedOutput()
	require.NoError(t, err, "%s %s: %s", verb, program, out)
}

// output is what a command printed and how it ended.
type output struct {
	stdout, stderr string
	code           int
}

func command(t *testing.T, name string, args ...string) output {
	t.Helper()
	return commandWith(t, nil, "", name, args...)
}

func commandWith(t *testing.T, environ []string, stdin, name string, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), "TEMPORAL_ADDRESS="+stack.TemporalAddress), environ...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit, "%s %v", name, args)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func starter(t *testing.T, args ...string) output {
	t.Helper()
	return command(t, filepath.Join(built, "starter"), args...)
}

func temporalCLI(t *testing.T, args ...string) output {
	t.Helper()
	return command(t, "../bin/temporal", append(args, "--address", stack.TemporalAddress)...)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// eventually waits for what only time brings: a state of another process.
func eventually(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, within, 50*time.Millisecond, what)
}
