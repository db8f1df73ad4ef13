package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
)

func TestEnvironment_UsesNewSearchAttributesWhenEveryHostKnowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := environment{
			clusters: func() []domain.ClusterState { return nil },
			settings: domain.Settings{Attributes: []string{"DeliberationRole"}},
			settling: []string{"DeliberationScore"}, settled: time.Now().Add(settleAfter),
		}
		require.Equal(t, []string{"DeliberationRole"}, e.Settings().Attributes)
		time.Sleep(settleAfter + 1)
		require.Equal(t, []string{"DeliberationRole", "DeliberationScore"}, e.Settings().Attributes)
		require.Equal(t, []string{"DeliberationRole"}, e.settings.Attributes)
	})
}
