package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func runWith(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	environ = append(environ, "TEMPORAL_CONFIG_FILE="+written(t, ""))
	code = run(t.Context(), args, environ, &out, &complaints)
	return code, out.String(), complaints.String()
}

func TestRun_PrintsItsVersion(t *testing.T) {
	code, stdout, stderr := runWith(t, nil, "--version")

	require.Equal(t, 0, code)
	require.Equal(t, "dev\n", stdout)
	require.Empty(t, stderr)
}

func TestRun_ExplainsItself(t *testing.T) {
	code, stdout, stderr := runWith(t, nil, "--help")

	require.Equal(t, 0, code)
	require.Empty(t, stderr)
	for _, part := range []string{"worker runs deliberations", "DELIBERATION_RAY_CLUSTERS=name=url", "docs/configuration.md", "-check-config"} {
		require.Contains(t, stdout, part)
	}
}

func TestRun_RefusesBadUsage(t *testing.T) {
	for name, c := range map[string]struct{ arg, want string }{
		"a flag that isn't there": {"--verbose", "worker: flag provided but not defined: -verbose; see worker --help"},
		"an argument":             {"start", `takes no arguments, got "start"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runWith(t, []string{needed}, c.arg)

			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, c.want)
		})
	}
}

func TestRun_CheckConfigShowsWhatItReadWithoutItsSecrets(t *testing.T) {
	code, stdout, stderr := runWith(t, []string{
		needed, "DELIBERATION_RAY_TOKEN=hunter2", "TEMPORAL_API_KEY=hunter2", "NATS_URL=nats://me:hunter2@nats:4222, hunter2@nats2:4222,nats3",
	}, "--check-config")

	require.Equal(t, 0, code, stderr)
	require.Equal(t, `Temporal: localhost:7233, namespace default, with API key, with TLS
Ray cluster local: http://ray:8000/deliberation, with token
Ray may be away: until the deadline; turns stay where they are
Task queues: deliberations, deliberations-submit, deliberations-wait
Slots: 64 to submit, 10000 to wait
Worker versioning: off
Model servers: every host, but never link-local and cloud metadata addresses
Events: nats://nats:4222,nats://nats2:4222,nats://nats3, prefix deliberation, without credentials, without authorities of its own
Health and metrics: 127.0.0.1:9464
Log: INFO, text
Missing search attributes: registered
The configuration is right.
`, stdout)
	require.Empty(t, stderr)
}

func TestRun_CheckConfigSaysHowLongAClusterMayBeAway(t *testing.T) {
	two := "DELIBERATION_RAY_CLUSTERS=a=http://a:8000/deliberation,b=http://b:8000/deliberation"
	for grace, shown := range map[string]string{
		"30s": "30s, then turns go to another cluster", "0s": "until the deadline; turns stay where they are",
	} {
		_, stdout, _ := runWith(t, []string{two, "DELIBERATION_RAY_GRACE=" + grace}, "--check-config")

		require.Contains(t, stdout, "Ray may be away: "+shown+"\n")
	}
}

func TestRun_CheckConfigSaysThatThereAreNoEvents(t *testing.T) {
	_, stdout, _ := runWith(t, []string{needed}, "--check-config")

	require.Contains(t, stdout, "Events: none (NATS_URL is not set)\n")
}

func TestRun_CheckConfigReportsFaultsAndWarningsTogether(t *testing.T) {
	code, stdout, stderr := runWith(t, []string{
		needed, "DELIBERATION_LOG_FORMAT=xml", "DELIBERATION_WAIT_SLOTZ=1", "DELIBERATION_SUBMIT_SLOT=1", "TEMPORAL_PROFILE=nobody",
	}, "--check-config")

	require.Equal(t, 2, code)
	require.Empty(t, stdout)
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	require.Len(t, lines, 4)
	require.Contains(t, lines[0], "worker: DELIBERATION_LOG_FORMAT: ")
	require.Contains(t, lines[1], "worker: DELIBERATION_SUBMIT_SLOT: unknown variable; did you mean DELIBERATION_SUBMIT_SLOTS?")
	require.Contains(t, lines[2], "worker: DELIBERATION_WAIT_SLOTZ: unknown variable; did you mean DELIBERATION_WAIT_SLOTS?")
	require.Contains(t, lines[3], "worker: temporal configuration (TEMPORAL_*): ")
}

func TestRun_CheckConfigRefusesWhatCannotWork(t *testing.T) {
	for variable, want := range map[string]string{
		"TEMPORAL_ADDRESS=foo:bar:baz": `TEMPORAL_ADDRESS (or the profile's address): must be host:port, got "foo:bar:baz"`,
		"TEMPORAL_ADDRESS=foo:70000":   `must be host:port, got "foo:70000"`,
	} {
		t.Run(variable, func(t *testing.T) {
			code, stdout, stderr := runWith(t, []string{needed, variable}, "--check-config")

			require.Equal(t, 2, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, want)
		})
	}
}

func TestRun_CheckConfigLeavesOthersVariablesAlone(t *testing.T) {
	code, _, stderr := runWith(t, []string{
		needed, "TEMPORAL_ADRESS=x", "NATS_URLS=x", "TEMPORAL_PORT=7233", "TEMPORAL_UI_PORT=8233", "NATS_PORT=tcp://10.0.0.1:4222", "NATS_SERVICE_HOST=10.0.0.1",
		"TEMPORAL_FRONTEND_SERVICE_PORT=7233", "TEMPORAL_GRPC_META_X=y", "TEMPORAL_ADDRESS=dns:///temporal:7233",
	}, "--check-config")

	require.Equal(t, 0, code, stderr)
	require.Empty(t, stderr)
}

func TestRun_EndsWithTwoOnABadConfiguration(t *testing.T) {
	for name, environ := range map[string][]string{
		"of ours":       {"DELIBERATION_WAIT_SLOTS=0", needed},
		"of Temporal's": {"TEMPORAL_PROFILE=nobody", needed},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := runWith(t, environ)

			require.Equal(t, 2, code)
			require.True(t, strings.HasPrefix(stderr, "worker: "), stderr)
		})
	}
}

func TestRun_SaysWhichVariableNamesATakenPort(t *testing.T) {
	taken := listening(t)

	code, _, stderr := runWith(t, []string{needed, "DELIBERATION_HTTP_ADDR=" + taken})

	require.Equal(t, 1, code)
	require.Contains(t, stderr, "DELIBERATION_HTTP_ADDR: listen")
	require.Contains(t, stderr, taken)
}

func listening(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

// Without Temporal a worker waits for it: alive, not ready, and still to be stopped in an orderly way.
func TestRun_WaitsForTemporalUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	address, nobody, profiles := free(t), free(t), written(t, "")
	log := &watched{line: make(chan string, 100)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, nil, []string{
			needed, "TEMPORAL_ADDRESS=" + nobody, "TEMPORAL_CONFIG_FILE=" + profiles, "DELIBERATION_RAY_TOKEN=hunter2",
			"NATS_URL=nats://u:hunter2@nats", "DELIBERATION_HTTP_ADDR=" + address,
			"DELIBERATION_WAIT_SLOT=hunter2",
		}, nil, log)
	}()
	log.await(t, "did you mean DELIBERATION_WAIT_SLOTS?")
	log.await(t, "waiting for Temporal")

	require.Equal(t, http.StatusOK, get(t, address, "/healthz", nil))
	require.Equal(t, http.StatusOK, get(t, address, "/metrics", nil))
	var answer readiness
	require.Equal(t, http.StatusServiceUnavailable, get(t, address, "/readyz", &answer))
	require.False(t, answer.Ready)
	stop()

	require.Equal(t, 0, <-ended)
	require.NotContains(t, log.all(), "hunter2")
}

func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func get(t *testing.T, address, path string, into any) int {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	require.NoError(t, err)
	defer response.Body.Close()
	if into != nil {
		require.NoError(t, json.NewDecoder(response.Body).Decode(into))
	}
	return response.StatusCode
}

// watched is a log whose lines can be awaited.
type watched struct {
	line chan string

	mu   sync.Mutex
	text strings.Builder
}

func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	w.text.Write(line)
	w.mu.Unlock()
	select {
	case w.line <- string(line):
	default: // nobody waits for this many
	}
	return len(line), nil
}

func (w *watched) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watched) await(t *testing.T, part string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case line := <-w.line:
			if strings.Contains(line, part) {
				return
			}
		case <-late:
			require.Fail(t, "never logged", "%s; the log is:\n%s", part, w.all())
		}
	}
}
