//go:build integration

package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/internal/fakes"
)

// Patience is how long a test waits for what must come. Events come up to a minute after NATS was away.
const Patience = 2 * time.Minute

// At says where the parts of the running stack are.
var At struct {
	Home            string `json:"home"`
	TemporalAddress string `json:"temporal_address"`
	NATSURL         string `json:"nats_url"`
	RayAppURL       string `json:"ray_app_url"`
	Ray2AppURL      string `json:"ray2_app_url"`
	ModelURL        string `json:"model_url"`
	RayToken        string `json:"ray_token"`
	RayAddress      string `json:"ray_address"`
	RayDashboard    string `json:"ray_dashboard"`
	TemporalUI      string `json:"temporal_ui"`
	// Wanted names the programs that run.
	Wanted []string `json:"wanted"`
	Ports  struct {
		RayMetrics int `json:"ray_metrics"`
	} `json:"ports"`
}

// Temporal is the client of the namespace in which the test works; see [UseTemporal].
var Temporal client.Client

var root, built string // the project's folder, and the folder of this run's worker and starter

// Main runs the tests of a package against the stack. It returns the exit code.
func Main(m *testing.M) int {
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(built)
	defer Temporal.Close()
	return m.Run()
}

func setUp() error {
	home := os.Getenv("STACK_HOME")
	if home == "" {
		return errors.New("no stack; run the tests with `make integration`")
	}
	text, err := os.ReadFile(filepath.Join(home, "stack.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &At); err != nil {
		return err
	}
	if root, err = findRoot(); err != nil {
		return err
	}
	if built, err = os.MkdirTemp("", "e2e"); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", built+"/", "./worker", "./starter")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	Temporal, err = Dial("")
	return err
}

// HasSecondRay reports whether the stack has a second Ray with our app.
func HasSecondRay() bool { return slices.Contains(At.Wanted, "rayapp2") }

// findRoot goes up from the tests' package to the module's folder.
func findRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("the tests run outside of the module")
}

// Path returns the path of a file of the project.
func Path(inProject string) string { return filepath.Join(root, inProject) }

// Dial connects to a namespace of the stack's Temporal; an empty name stands for the default one.
func Dial(namespace string) (client.Client, error) {
	return client.Dial(client.Options{
		HostPort: At.TemporalAddress, Namespace: namespace, Logger: fakes.SilentLogger(),
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}}, // as the worker's
	})
}

// UseTemporal makes a client the one that this package uses, until the test ends. Such a test must not run
// in parallel with others.
func UseTemporal(t *testing.T, own client.Client) {
	t.Helper()
	shared := Temporal
	Temporal = own
	t.Cleanup(func() {
		own.Close()
		Temporal = shared
	})
}
