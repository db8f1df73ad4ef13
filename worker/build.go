package main

import (
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
)

// version is set when the binary is built.
var version = "dev"

const (
	deploymentVariable = "TEMPORAL_DEPLOYMENT_NAME"
	buildVariable      = "TEMPORAL_WORKER_BUILD_ID"
)

// build turns on worker versioning when both are set: Temporal then knows the build of each worker, and a
// deliberation stays on the build that it began on.
type build struct {
	Deployment string `env:"TEMPORAL_DEPLOYMENT_NAME"`
	ID         string `env:"TEMPORAL_WORKER_BUILD_ID"`
}

func (b build) versioned() bool { return b.Deployment != "" && b.ID != "" }

func (b build) options() worker.DeploymentOptions {
	return worker.DeploymentOptions{UseVersioning: b.versioned(), Version: worker.WorkerDeploymentVersion{DeploymentName: b.Deployment, BuildID: b.ID}}
}

// check applies the server's rules. If the server refused a name, every poll would fail.
func (b build) check(found *faults) {
	switch {
	case b.Deployment == "" && b.ID != "":
		found.add(buildVariable, "needs %s too", deploymentVariable)
	case b.Deployment != "" && b.ID == "":
		found.add(deploymentVariable, "needs %s too", buildVariable)
	}
	if strings.ContainsAny(b.Deployment, ".:") {
		found.add(deploymentVariable, "cannot contain . or :, got %s", domain.Quote(b.Deployment))
	}
	checkName(found, deploymentVariable, b.Deployment)
	checkName(found, buildVariable, b.ID)
}

func checkName(found *faults, variable, name string) {
	const most = 200 // bytes
	if strings.HasPrefix(name, "__") || len(name) > most {
		found.add(variable, "cannot begin with __ or be longer than %d bytes, got %s", most, domain.Quote(name))
	}
}

func (b build) String() string {
	if !b.versioned() {
		return "off"
	}
	return fmt.Sprintf("deployment %s, build %s", b.Deployment, b.ID)
}

// log names the command that makes this build the current one. Until then it gets no new deliberations, although the
// worker looks healthy.
func (b build) log(namespace string, log *slog.Logger) {
	if !b.versioned() {
		return
	}
	log.Info("this build gets new deliberations once it is the current one", "deployment", b.Deployment, "build", b.ID,
		"command", fmt.Sprintf("temporal worker deployment set-current-version --namespace %s --deployment-name %s --build-id %s",
			namespace, b.Deployment, b.ID))
}
