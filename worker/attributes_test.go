package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
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
