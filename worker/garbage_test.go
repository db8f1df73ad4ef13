package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCollectOften_LeavesTheDecisionToGOGC(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })

	collectOften([]string{"GOGC=200"})
	require.Equal(t, 100, debug.SetGCPercent(100), "Go has read it")
	collectOften(nil)
	require.Equal(t, gcPercent, debug.SetGCPercent(100))
}
