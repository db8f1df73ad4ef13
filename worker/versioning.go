package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"deliberation.io/deliberation/domain"
)

// Worker versioning: with it Temporal knows which build a worker is of, and a deliberation stays on the
// build that it began on.
const (
	deploymentVariable = "TEMPORAL_DEPLOYMENT_NAME"
	buildVariable      = "TEMPORAL_WORKER_BUILD_ID"
)

const (
	// routingEvery is how often it is looked whether this build gets new work.
	routingEvery = time.Minute
	// routingFirst is how often until Temporal knows the build, which is some moments after its first polls.
	routingFirst = 2 * time.Second
	routingTry   = 10 * time.Second
	// polled are the task queues of a build: of workflows, and three of activities. It can't be made current
	// in place of another one before all of them are known.
	polled = 4
)

func (c *config) versioned() bool { return c.Deployment != "" && c.Build != "" }

func (c *config) version() worker.WorkerDeploymentVersion {
	return worker.WorkerDeploymentVersion{DeploymentName: c.Deployment, BuildID: c.Build}
}

func (c *config) deploymentOptions() worker.DeploymentOptions {
	if !c.versioned() {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{UseVersioning: true, Version: c.version()}
}

// checkVersion has the server's rules: a name that it refuses would fail every poll.
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

// routing tells in the log whether this build gets new work. One that nobody has made current gets none,
// and looks well while it waits.
type routing struct {
	version   worker.WorkerDeploymentVersion
	namespace string
	describe  func(context.Context, client.WorkerDeploymentDescribeVersionOptions) (client.WorkerDeploymentVersionDescription, error)
	log       *slog.Logger
}

func newRouting(c config, temporal client.Client, namespace string, log *slog.Logger) routing {
	handle := temporal.WorkerDeploymentClient().GetHandle(c.Deployment)
	return routing{version: c.version(), namespace: namespace, describe: handle.DescribeVersion, log: log}
}

// watch goes on until the context ends, and tells each change once.
func (r routing) watch(ctx context.Context) {
	told, chosen := false, false
	for {
		pause := routingFirst
		seen, err := r.seen(ctx)
		switch now := !seen.CurrentSinceTime.IsZero() || seen.RampPercentage > 0; {
		case err != nil:
			r.log.Debug("worker deployment not looked at", "error", err)
		case len(seen.TaskQueuesInfos) < polled:
		default:
			if !told || now != chosen {
				r.tell(now)
			}
			told, chosen, pause = true, now, routingEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (r routing) seen(ctx context.Context) (client.WorkerDeploymentVersionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, routingTry)
	defer cancel()
	seen, err := r.describe(ctx, client.WorkerDeploymentDescribeVersionOptions{BuildID: r.version.BuildID})
	return seen.Info, err
}

func (r routing) tell(chosen bool) {
	log := r.log.With("deployment", r.version.DeploymentName, "build", r.version.BuildID)
	if chosen {
		log.Info("new deliberations come to this build")
		return
	}
	log.Warn("no new deliberations come to this build: it isn't the current one", "to_change_that", fmt.Sprintf(
		"temporal worker deployment set-current-version --namespace %s --deployment-name %s --build-id %s",
		r.namespace, r.version.DeploymentName, r.version.BuildID))
}
