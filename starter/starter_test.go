package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"starter": main})
}

// TestScripts are what the command line does without any server.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")           // nobody listens there
			env.Setenv("TEMPORAL_CONFIG_FILE", env.WorkDir+"/none") // nor is a profile read
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"bigrequest": bigRequest, "exits": exits, "silence": silence,
			"ray-and-model": rayAndModel, "nats-server": natsServer, "worker-probe": workerProbe,
		},
	})
}

// exits CODE PROGRAM ARGS... checks an exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var exited *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exited) {
		code = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%q: exit code %d, want %d", args[1:], code, want)
	}
}

// silence puts a server at TEMPORAL_ADDRESS that takes connections and never says a word.
func silence(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv("TEMPORAL_ADDRESS", listener.Addr().String())
}

// bigRequest FIELD BYTES TEXT writes a request to big.json in which a field repeats TEXT, a text of one byte, BYTES times.
func bigRequest(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	fields := map[string]string{"task_description": "d"}
	fields[args[0]] = strings.Repeat(args[2], size)
	text := `{"task_id":"big","role":"DEV","constraints":{"story_id":"s","plan_id":"p"},"agents":[{"agent_id":"a"}],
		"vllm_url":"http://model:8000","vllm_model":"m"`
	for name, value := range fields {
		text += fmt.Sprintf(",%q:%q", name, value)
	}
	ts.Check(os.WriteFile(ts.MkAbs("big.json"), []byte(text+"}"), 0o600))
}

// called runs the program in this process.
func called(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return code, out.String(), err.String()
}

func TestEveryCommandHasAnExample(t *testing.T) {
	for _, command := range (&cli{}).root().Commands() {
		require.Contains(t, command.Example, "starter "+command.Name(), command.Name())
		require.NotEmpty(t, command.Long, command.Name())
	}
}
