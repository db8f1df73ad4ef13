package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/searchattributes"
)

func TestEnvironment_UsesNewSearchAttributesWhenEveryHostKnowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := environment{
			settings: domain.Settings{Attributes: []string{"DeliberationRole"}},
			settling: []string{"DeliberationScore"}, settled: time.Now().Add(searchattributes.SettleAfter),
		}
		require.Equal(t, []string{"DeliberationRole"}, e.Settings().Attributes)
		time.Sleep(searchattributes.SettleAfter + 1)
		require.Equal(t, []string{"DeliberationRole", "DeliberationScore"}, e.Settings().Attributes)
		require.Equal(t, []string{"DeliberationRole"}, e.settings.Attributes)
	})
}
