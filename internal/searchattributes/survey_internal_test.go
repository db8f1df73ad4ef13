package searchattributes

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCreateAttributesCommand_RegistersAllOfThem(t *testing.T) {
	require.Equal(t, "temporal operator search-attribute create --namespace team"+
		" --name DeliberationRole --type Keyword --name DeliberationTaskId --type Keyword"+
		" --name DeliberationStoryId --type Keyword --name DeliberationPlanId --type Keyword"+
		" --name DeliberationScore --type Double", CreateCommand("team"))
}
