package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"deliberation.io/deliberation/domain"
)

func TestCreateCommand_RegistersAllOfThem(t *testing.T) {
	require.Equal(t, "temporal operator search-attribute create --namespace team"+
		" --name DeliberationRole --type Keyword --name DeliberationTaskId --type Keyword"+
		" --name DeliberationStoryId --type Keyword --name DeliberationPlanId --type Keyword"+
		" --name DeliberationPhase --type Keyword --name DeliberationScore --type Double", createCommand("team"))
}

func TestTypeName(t *testing.T) {
	require.Equal(t, "Double", typeName(temporal.NewSearchAttributeKeyFloat64("x")))
	require.Equal(t, "Keyword", typeName(temporal.NewSearchAttributeKeyKeyword("x")))
}

func TestEnvironment_UsesNewSearchAttributesWhenEveryHostKnowsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := environment{
			settings: domain.Settings{Attributes: []string{"DeliberationRole"}},
			settling: []string{"DeliberationScore"}, settled: time.Now().Add(settleAfter),
		}
		require.Equal(t, []string{"DeliberationRole"}, e.Settings().Attributes)
		time.Sleep(settleAfter + 1)
		require.Equal(t, []string{"DeliberationRole", "DeliberationScore"}, e.Settings().Attributes)
		require.Equal(t, []string{"DeliberationRole"}, e.settings.Attributes)
	})
}
