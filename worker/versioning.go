package main

import (
	"fmt"
	"log/slog"
	"strings"

	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
)

// With worker versioning Temporal knows the build of each worker, and a deliberation stays on the build
// that it began on.
const (
	deploymentVariable = "TEMPORAL_DEPLOYMENT_NAME"
	buildVariable      = "TEMPORAL_WORKER_BUILD_ID"
)

func (c *config) versioned() bool { return c.Deployment != "" && c.Build != "" }

func (c *config) deploymentOptions() worker.DeploymentOptions {
	if !c.versioned() {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: c.Deployment, BuildID: c.Build}}
}

// checkVersion applies the server's rules: with a name that the server refuses, every poll would fail.
func (c *config) checkVersion(found *faults) {
	switch {
	case c.Deployment == "" && c.Build != "":
		found.add(buildVariable, "needs %s too", deploymentVariable)
	case c.Deployment != "" && c.Build == "":
		found.add(deploymentVariable, "needs %s too", buildVariable)
	}
	if strings.ContainsAny(c.Deployment, ".:") {
		found.add(deploymentVariable, "cannot contain . or :, got %s", domain.Quote(c.Deployment))
	}
	checkName(found, deploymentVariable, c.Deployment)
	checkName(found, buildVariable, c.Build)
}

func checkName(found *faults, variable, name string) {
	const most = 200 // bytes
	if strings.HasPrefix(name, "__") || len(name) > most {
		found.add(variable, "cannot begin with __ or be longer than %d bytes, got %s", most, domain.Quote(name))
	}
}

func (c *config) shownVersion() string {
	if !c.versioned() {
		return "off"
	}
	return fmt.Sprintf("deployment %s, build %s", c.Deployment, c.Build)
}

// logBuild names the command that makes this build current. A build that nobody has made current gets no new
// deliberations, and looks well while it waits.
func (c *config) logBuild(namespace string, log *slog.Logger) {
	if !c.versioned() {
		return
	}
	log.Info("this build gets new deliberations once it is the current one", "deployment", c.Deployment, "build", c.Build,
		"command", fmt.Sprintf("temporal worker deployment set-current-version --namespace %s --deployment-name %s --build-id %s",
			namespace, c.Deployment, c.Build))
}
