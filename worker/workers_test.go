package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"deliberation.io/deliberation/activities"
)

// Two activities of one name on a queue, or a workflow twice, panic where they are registered.
func TestNewWorkers_RegistersEverythingOnThreeQueues(t *testing.T) {
	temporal, err := client.NewLazyClient(client.Options{})
	require.NoError(t, err)
	defer temporal.Close()
	for name, version := range map[string][]string{
		"unversioned": nil, "versioned": {"TEMPORAL_DEPLOYMENT_NAME=deliberation", "TEMPORAL_WORKER_BUILD_ID=b1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _, err := readConfig(append([]string{needed}, version...))
			require.NoError(t, err)

			made := newWorkers(temporal, c, environment{}, activities.Dependencies{}, &health{})

			require.Len(t, made.all, 3)
		})
	}
}
