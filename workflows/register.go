package workflows

import (
	"go.temporal.io/sdk/workflow"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// Registry is what a worker, a replayer and a test environment have in common.
type Registry interface {
	RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions)
}

// Register makes a worker run the workflows. The environment is read when a deliberation opens. Where
// workers are versioned, a deliberation and what it leaves end on the build that they began on; the
// statistics have no end, and go on with the current build.
func Register(registry Registry, environment domain.Environment) {
	s := stories{environment: environment}
	for _, story := range []struct {
		run      any
		name     string
		behavior workflow.VersioningBehavior
	}{
		{s.Deliberation, contract.DeliberationName, workflow.VersioningBehaviorPinned},
		{s.DeliberationOutbox, contract.DeliberationOutboxName, workflow.VersioningBehaviorPinned},
		{s.DeliberationStats, contract.DeliberationStatsName, workflow.VersioningBehaviorAutoUpgrade},
	} {
		registry.RegisterWorkflowWithOptions(story.run, workflow.RegisterOptions{Name: story.name, VersioningBehavior: story.behavior})
	}
}
