package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/workflows"
	"deliberation.io/deliberation/workflows/contract"
)

// behaviors is a registry that keeps how each workflow is versioned.
type behaviors map[string]workflow.VersioningBehavior

func (b behaviors) RegisterWorkflowWithOptions(_ any, options workflow.RegisterOptions) {
	b[options.Name] = options.VersioningBehavior
}

func TestRegister_PinsWhatEndsAndUpgradesWhatDoesNot(t *testing.T) {
	registered := behaviors{}

	workflows.Register(registered, nil)

	require.Equal(t, behaviors{
		contract.DeliberationName:       workflow.VersioningBehaviorPinned,
		contract.DeliberationOutboxName: workflow.VersioningBehaviorPinned,
		contract.DeliberationStatsName:  workflow.VersioningBehaviorAutoUpgrade,
	}, registered)
}
