//go:build integration

// Package e2e runs deliberations on a real Temporal, Ray and NATS, and kills things meanwhile.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"deliberation.io/deliberation/internal/freeport"
)

// patience is how long a test waits for what must come: events wait for up to a minute after NATS was away.
const patience = 2 * time.Minute

// stack is the running stack that the tests use: `make integration` starts it and says where it is.
var stack struct {
	Home            string `json:"home"`
	TemporalAddress string `json:"temporal_address"`
	NATSURL         string `json:"nats_url"`
	RayAppURL       string `json:"ray_app_url"`
	Ray2AppURL      string `json:"ray2_app_url"` // empty without a second Ray
	ModelURL        string `json:"model_url"`
	RayToken        string `json:"ray_token"`
	RayAddress      string `json:"ray_address"`
	TemporalUI      string `json:"temporal_ui"`
	Ports           struct {
		RayMetrics int `json:"ray_metrics"`
	} `json:"ports"`
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

func command(t require.TestingT, name string, args ...string) output {
	return commandWith(t, nil, name, args...)
}

func commandWith(t require.TestingT, environ []string, name string, args ...string) output {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append(os.Environ(), "TEMPORAL_ADDRESS="+stack.TemporalAddress), environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(t, err, &exit, "%s %v", name, args)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func starter(t require.TestingT, args ...string) output {
	return command(t, filepath.Join(built, "starter"), args...)
}

func temporalCLI(t require.TestingT, args ...string) output {
	return command(t, "../bin/temporal", append(args, "--address", stack.TemporalAddress)...)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freeport.Find(t))
}

// eventually waits for what only time brings: a state of another process.
func eventually(t *testing.T, what string, holds func(c *assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, holds, patience, 50*time.Millisecond, what)
}
