package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// Two activities of one name on a queue, or a workflow twice, panic where they are registered.
func TestNewWorkers_RegistersEverythingOnThreeQueues(t *testing.T) {
	temporal, err := client.NewLazyClient(client.Options{})
	require.NoError(t, err)
	defer temporal.Close()
	c, _, err := readConfig([]string{needed})
	require.NoError(t, err)

	made := newWorkers(temporal, c, &connected{environment: environment{}}, &health{})

	require.Len(t, made.all, 3)
}
