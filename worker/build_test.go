package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

func TestVersioning_IsOffUnlessBothAreSet(t *testing.T) {
	off, _, err := readConfig([]string{needed})
	require.NoError(t, err)
	require.Zero(t, off.Build.options())

	on, _, err := readConfig([]string{needed, "TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=1.2:3"})
	require.NoError(t, err)
	require.Equal(t, worker.DeploymentOptions{
		UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: "deliberation", BuildID: "1.2:3"},
	}, on.Build.options())
}

func TestVersioning_CheckConfigShowsIt(t *testing.T) {
	_, stdout, _ := runWith(t, []string{needed, "TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=b1"}, "--check-config")

	require.Contains(t, stdout, "Worker versioning: deployment deliberation, build b1\n")
}

func TestVersioning_LogsHowTheBuildBecomesCurrent(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	build{}.log("prod", logger)
	require.Empty(t, log.String())

	build{Deployment: "deliberation", ID: "b1"}.log("prod", logger)

	require.Contains(t, log.String(), "temporal worker deployment set-current-version --namespace prod --deployment-name deliberation --build-id b1")
}
