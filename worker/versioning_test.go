package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

func TestVersioning_IsOffUnlessBothAreSet(t *testing.T) {
	off, _, err := readConfig([]string{needed})
	require.NoError(t, err)
	require.Zero(t, off.deploymentOptions())

	on, _, err := readConfig([]string{needed, "TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=1.2:3"})
	require.NoError(t, err)
	require.Equal(t, worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: "deliberation", BuildID: "1.2:3"},
	}, on.deploymentOptions())
}

func TestVersioning_CheckConfigShowsIt(t *testing.T) {
	_, stdout, _ := runWith(t, []string{needed, "TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=b1"}, "--check-config")

	require.Contains(t, stdout, "Worker versioning: deployment deliberation, build b1\n")
}

// oneBuild is a server that knows one build, which somebody makes current.
type oneBuild struct {
	mu   sync.Mutex
	info client.WorkerDeploymentVersionInfo
	err  error
}

func (b *oneBuild) describe(context.Context, client.WorkerDeploymentDescribeVersionOptions) (client.WorkerDeploymentVersionDescription, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return client.WorkerDeploymentVersionDescription{Info: b.info}, b.err
}

// between changes something while nobody looks.
func (b *oneBuild) between(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func TestRouting_TellsEachChangeOnce(t *testing.T) {
	const getsNone, getsSome = "no new deliberations come to this build", `msg="new deliberations come to this build"`
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		server := &oneBuild{err: errors.New("no such build yet")}
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go routing{
			version:   worker.WorkerDeploymentVersion{DeploymentName: "deliberation", BuildID: "b1"},
			namespace: "prod", describe: server.describe, log: slog.New(slog.NewTextHandler(&log, nil)),
		}.watch(ctx)
		told := func() string {
			server.between(log.Reset)
			time.Sleep(2 * routingEvery) // the test's own clock
			synctest.Wait()
			return log.String()
		}

		require.Empty(t, told())
		server.between(func() {
			server.err, server.info.TaskQueuesInfos = nil, make([]client.WorkerDeploymentTaskQueueInfo, 3)
		})
		require.Empty(t, told(), "it can't be made current yet")
		server.between(func() { server.info.TaskQueuesInfos = make([]client.WorkerDeploymentTaskQueueInfo, 4) })
		first := told()
		require.Equal(t, 1, strings.Count(first, getsNone), first)
		require.Contains(t, first, "temporal worker deployment set-current-version --namespace prod --deployment-name deliberation --build-id b1")
		server.between(func() { server.info.CurrentSinceTime = time.Now() })
		require.Equal(t, 1, strings.Count(told(), getsSome))
		require.Empty(t, told())
		server.between(func() { server.info.CurrentSinceTime = time.Time{} })
		require.Contains(t, told(), getsNone)
		server.between(func() { server.info.RampPercentage = 5 })
		require.Contains(t, told(), getsSome)
	})
}
