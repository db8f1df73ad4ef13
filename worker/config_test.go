package main

import (
	"encoding/pem"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/activities/nats"
	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/rayclusters"
)

// needed is the least that a worker is configured with.
const needed = "DELIBERATION_RAY_CLUSTERS=local=http://ray:8000/deliberation/"

func TestReadConfig_DefaultsWhatIsNotSet(t *testing.T) {
	for name, environ := range map[string][]string{
		"unset": {needed},
		"empty": {
			needed, "DELIBERATION_RAY_TOKEN=", "DELIBERATION_TASK_QUEUE=", "DELIBERATION_WAIT_SLOTS=", "DELIBERATION_VLLM_ALLOW=",
			"NATS_URL=", "DELIBERATION_HTTP_ADDR=", "DELIBERATION_LOG_LEVEL=", "DELIBERATION_REGISTER_SEARCH_ATTRIBUTES=",
		},
	} {
		t.Run(name, func(t *testing.T) {
			read, warnings, err := readConfig(environ)

			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, config{
				Ray:       rays{Clusters: rayclusters.List{{Name: "local", URL: "http://ray:8000/deliberation"}}, Grace: time.Minute},
				TaskQueue: "deliberations", WaitSlots: 10_000, SubmitSlots: 64, NATS: nats.Config{Prefix: "deliberation", InboxPrefix: "_INBOX"},
				HTTPAddr: "127.0.0.1:9464", LogLevel: slog.LevelInfo, LogFormat: "text", Register: true,
			}, read)
		})
	}
}

func TestReadConfig_ReadsEveryVariable(t *testing.T) {
	read, warnings, err := readConfig([]string{
		"DELIBERATION_RAY_CLUSTERS= gpu = x", needed, // the later one counts
		"DELIBERATION_RAY_TOKEN=secret", "DELIBERATION_RAY_GRACE=90s", "DELIBERATION_TASK_QUEUE=q",
		"DELIBERATION_WAIT_SLOTS=7", "DELIBERATION_SUBMIT_SLOTS=8", "DELIBERATION_PRICES=small=0.1/0.4, a=b=2",
		"DELIBERATION_VLLM_ALLOW=vllm:8000, *.internal",
		"NATS_URL=nats://nats:4222", "NATS_CREDS=" + written(t, credentials), "NATS_CA=" + written(t, authority(t)), "DELIBERATION_NATS_PREFIX=p",
		"NATS_INBOX_PREFIX=_INBOX_app", "NATS_JS_DOMAIN=hub", "DELIBERATION_NATS_MAX_BYTES=1000",
		"DELIBERATION_HTTP_ADDR=:1", "DELIBERATION_LOG_LEVEL=debug",
		"DELIBERATION_LOG_FORMAT=json", "DELIBERATION_REGISTER_SEARCH_ATTRIBUTES=false", "PATH=/bin", "DELIBERATION_RUNNERS=3",
		"TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=b1",
	})

	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, []string{"vllm:8000", "*.internal"}, read.allow.Patterns())
	require.Empty(t, read.allow.Check("http://a.internal"))
	require.NotEmpty(t, read.allow.Check("http://elsewhere"))
	require.Equal(t, domain.Prices{"small": {Prompt: 0.1, Completion: 0.4}, "a=b": {Prompt: 2, Completion: 2}}, read.prices)
	read.prices, read.Prices = nil, nil
	read.allow, read.VLLMAllow, read.NATS.Creds, read.NATS.CA = config{}.allow, nil, "", ""
	require.Equal(t, config{
		Ray:       rays{Clusters: rayclusters.List{{Name: "local", URL: "http://ray:8000/deliberation"}}, Token: "secret", Grace: 90 * time.Second},
		TaskQueue: "q", WaitSlots: 7, SubmitSlots: 8,
		NATS: nats.Config{URL: "nats://nats:4222", Prefix: "p", InboxPrefix: "_INBOX_app", Domain: "hub", MaxBytes: 1000},

		HTTPAddr: ":1", LogLevel: slog.LevelDebug, LogFormat: "json",
		Build: build{Deployment: "deliberation", ID: "b1"},
	}, read)
}

// credentials are of the form that nsc writes. Nobody knows this user.
const credentials = `-----BEGIN NATS USER JWT-----
e30.e30.c2lnbmVk
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
SUADFL5HPSH33OG4NNCFMRNOZA4NXINKUHOMTJ7FZCFPBYDCCADTMKWZ6E
------END USER NKEY SEED------
`

// authority is a certificate in PEM.
func authority(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestReadConfig_NamesTheVariableOfEachFault(t *testing.T) {
	for name, c := range map[string]struct{ variable, want string }{
		"no cluster":              {"DELIBERATION_RAY_CLUSTERS=", "DELIBERATION_RAY_CLUSTERS: cannot be empty"},
		"a cluster of no name":    {"DELIBERATION_RAY_CLUSTERS=http://ray:8000/x?y=z", "DELIBERATION_RAY_CLUSTERS: want name=url, for example local=http://127.0.0.1:8000/deliberation"},
		"a list that goes on":     {"DELIBERATION_RAY_CLUSTERS=local=http://ray:8000,", "DELIBERATION_RAY_CLUSTERS: want name=url"},
		"a cluster of no URL":     {"DELIBERATION_RAY_CLUSTERS=local=ray:8000", "DELIBERATION_RAY_CLUSTERS: ray cluster local: the URL must be absolute"},
		"a URL with a user":       {"DELIBERATION_RAY_CLUSTERS=local=http://u:hunter2@ray:8000", "must not carry a user"},
		"a name twice":            {"DELIBERATION_RAY_CLUSTERS=a=http://ray,a=http://ray", `DELIBERATION_RAY_CLUSTERS: cluster "a" is named twice`},
		"two, one of no URL":      {"DELIBERATION_RAY_CLUSTERS=a=http://ray,b=ray", "DELIBERATION_RAY_CLUSTERS: ray cluster b: the URL must be absolute"},
		"a token of two lines":    {"DELIBERATION_RAY_TOKEN=hunter2\nhunter2", "DELIBERATION_RAY_TOKEN: ray cluster local: the token has characters"},
		"no token file":           {"DELIBERATION_RAY_TOKEN_FILE=/nowhere/token", "DELIBERATION_RAY_TOKEN_FILE: open /nowhere/token: no such file"},
		"a negative grace":        {"DELIBERATION_RAY_GRACE=-1s", "DELIBERATION_RAY_GRACE: cannot be negative"},
		"a grace of no unit":      {"DELIBERATION_RAY_GRACE=60", "DELIBERATION_RAY_GRACE: must be a time with its unit, for example 60s, got \"60\""},
		"a queue of no name":      {"DELIBERATION_TASK_QUEUE= ", "DELIBERATION_TASK_QUEUE: cannot be empty"},
		"slots in words":          {"DELIBERATION_WAIT_SLOTS=many", `DELIBERATION_WAIT_SLOTS: must be a whole number, got "many"`},
		"no slots":                {"DELIBERATION_SUBMIT_SLOTS=0", "DELIBERATION_SUBMIT_SLOTS: must be at least 1, got 0"},
		"a pattern that is a URL": {"DELIBERATION_VLLM_ALLOW=vllm,http://vllm", `DELIBERATION_VLLM_ALLOW: "http://vllm": must be a host`},
		"an empty pattern":        {"DELIBERATION_VLLM_ALLOW=,", `DELIBERATION_VLLM_ALLOW: "": must be a host`},
		"no prefix of subjects":   {"DELIBERATION_NATS_PREFIX=a b", "DELIBERATION_NATS_PREFIX: must be up to 200 letters"},
		"no NATS server":          {"NATS_URL=nats://u:hunter2%@nats", "NATS_URL: must be nats://host:port"},
		"no port of NATS":         {"NATS_URL=nats://h:99999", "NATS_URL: must be nats://host:port"},
		"another protocol":        {"NATS_URL=nats://h,http://foo", "NATS_URL: must be nats://host:port"},
		"no protocol at all":      {"NATS_URL=foo://bar", "NATS_URL: must be nats://host:port"},
		"colons for a server":     {"NATS_URL=:::", "NATS_URL: must be nats://host:port"},
		"a file of no secret":     {"NATS_CREDS=main.go", "NATS_CREDS: the file holds no credentials"},
		"a file of no PEM":        {"NATS_CA=main.go", "NATS_CA: the file holds no certificate in PEM"},
		"no port to listen on":    {"DELIBERATION_HTTP_ADDR=:99999", `DELIBERATION_HTTP_ADDR: must be host:port, got ":99999"`},
		"a bound in words":        {"DELIBERATION_NATS_MAX_BYTES=1GiB", `DELIBERATION_NATS_MAX_BYTES: must be a whole number, got "1GiB"`},
		"a seed of nobody":        {"NATS_NKEY=main.go", "NATS_NKEY: the file holds no seed of a user's nkey"},
		"a certificate alone":     {"NATS_CERT=main.go", "NATS_CERT: needs NATS_KEY too"},
		"no credentials file":     {"NATS_CREDS=/nowhere/creds", "NATS_CREDS: open /nowhere/creds"},
		"no authorities file":     {"NATS_CA=/nowhere/ca", "NATS_CA: open /nowhere/ca"},
		"a port alone":            {"DELIBERATION_HTTP_ADDR=9464", `DELIBERATION_HTTP_ADDR: must be host:port, got "9464"`},
		"a level of no log":       {"DELIBERATION_LOG_LEVEL=loud", `DELIBERATION_LOG_LEVEL: must be DEBUG, INFO, WARN or ERROR, got "loud"`},
		"a format of no log":      {"DELIBERATION_LOG_FORMAT=xml", `DELIBERATION_LOG_FORMAT: must be text or json, got "xml"`},
		"a build alone":           {"TEMPORAL_WORKER_BUILD_ID=b1", "TEMPORAL_WORKER_BUILD_ID: needs TEMPORAL_DEPLOYMENT_NAME too"},
		"a deployment alone":      {"TEMPORAL_DEPLOYMENT_NAME=d", "TEMPORAL_DEPLOYMENT_NAME: needs TEMPORAL_WORKER_BUILD_ID too"},
		"neither true nor false":  {"DELIBERATION_REGISTER_SEARCH_ATTRIBUTES=maybe", `DELIBERATION_REGISTER_SEARCH_ATTRIBUTES: must be true or false, got "maybe"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readConfig([]string{needed, c.variable})

			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n", "one fault, reported once")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestReadConfig_RefusesVersionsThatTheServerRefuses(t *testing.T) {
	for version, want := range map[[2]string]string{
		{"a.b", "1"}:                    `TEMPORAL_DEPLOYMENT_NAME: cannot contain . or :, got "a.b"`,
		{"a:b", "1"}:                    `TEMPORAL_DEPLOYMENT_NAME: cannot contain . or :, got "a:b"`,
		{"d", "__1"}:                    "TEMPORAL_WORKER_BUILD_ID: cannot begin with __",
		{strings.Repeat("d", 201), "1"}: "TEMPORAL_DEPLOYMENT_NAME: cannot begin with __ or be longer than 200 bytes",
	} {
		_, _, err := readConfig([]string{needed, "TEMPORAL_DEPLOYMENT_NAME=" + version[0], "TEMPORAL_WORKER_BUILD_ID=" + version[1]})

		require.ErrorContains(t, err, want)
	}
}

func TestReadConfig_ReportsAllFaultsTogether(t *testing.T) {
	_, _, err := readConfig([]string{"DELIBERATION_WAIT_SLOTS=x", "DELIBERATION_SUBMIT_SLOTS=-1", "DELIBERATION_LOG_FORMAT=xml"})

	require.Equal(t, []string{
		"DELIBERATION_RAY_CLUSTERS: is required",
		`DELIBERATION_WAIT_SLOTS: must be a whole number, got "x"`,
		"DELIBERATION_SUBMIT_SLOTS: must be at least 1, got -1",
		`DELIBERATION_LOG_FORMAT: must be text or json, got "xml"`,
	}, strings.Split(err.Error(), "\n"))
}

func TestReadConfig_TakesTheTokenFromAFile(t *testing.T) {
	read, _, err := readConfig([]string{needed, "DELIBERATION_RAY_TOKEN_FILE=" + written(t, " secret\n")})

	require.NoError(t, err)
	require.Equal(t, "secret", read.Ray.Token)
}

func TestReadConfig_RefusesATokenFileThatIsEmptyOrOneTooMany(t *testing.T) {
	_, _, err := readConfig([]string{needed, "DELIBERATION_RAY_TOKEN_FILE=" + written(t, "\n")})
	require.ErrorContains(t, err, "DELIBERATION_RAY_TOKEN_FILE: the file ")
	require.ErrorContains(t, err, " is empty")

	_, _, err = readConfig([]string{needed, "DELIBERATION_RAY_TOKEN=a", "DELIBERATION_RAY_TOKEN_FILE=" + written(t, "b")})
	require.EqualError(t, err, "DELIBERATION_RAY_TOKEN: give it or DELIBERATION_RAY_TOKEN_FILE, not both")
}

func TestReadConfig_WarnsOfVariablesThatNothingReads(t *testing.T) {
	for variable, want := range map[string]string{
		"DELIBERATION_WAIT_SLOT":            "DELIBERATION_WAIT_SLOT: unknown variable; did you mean DELIBERATION_WAIT_SLOTS?",
		"DELIBERATION_RAY_CLUSTER":          "DELIBERATION_RAY_CLUSTER: unknown variable; did you mean DELIBERATION_RAY_CLUSTERS?",
		"DELIBERATION_NATS_URL":             "DELIBERATION_NATS_URL: unknown variable; did you mean NATS_URL?",
		"DELIBERATION_WORKER_SERVICE_HOST":  "DELIBERATION_WORKER_SERVICE_HOST: unknown variable",
		"DELIBERATION_GATEWAY_REPLICA":      "DELIBERATION_GATEWAY_REPLICA: unknown variable; did you mean DELIBERATION_GATEWAY_REPLICAS?",
		"DELIBERATION_WORKER_PORT_9464_TCP": "DELIBERATION_WORKER_PORT_9464_TCP: unknown variable",
	} {
		t.Run(variable, func(t *testing.T) {
			_, warnings, err := readConfig([]string{needed, variable + "=secret"})

			require.NoError(t, err)
			require.Equal(t, []string{want}, warnings)
		})
	}
}
