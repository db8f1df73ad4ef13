package nats

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealth_ReportsATroubleOnceUntilAllIsWell(t *testing.T) {
	var h health
	require.True(t, h.ill(errors.New("refused")))
	require.False(t, h.ill(errors.New("refused")))
	require.True(t, h.ill(errors.New("no such host")))
	require.EqualError(t, h.err(), "no such host")
	h.well()
	require.NoError(t, h.err())
	require.True(t, h.ill(errors.New("no such host")))
}
